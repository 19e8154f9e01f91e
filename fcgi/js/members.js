// members -- who is on a channel. Every change makes the next version; where one is missing, or none is known
// yet, the whole state is asked for.

import { backoff } from './base.js';

const key = ({ user, verified }) => `${verified} ${user}`;
const without = (list, others) => {
    const named = new Set(others.map(key));
    return list.filter((one) => !named.has(key(one)));
};

export class Members {
    list = [];                      // empty, too, where there are more than the server names
    count = 0;
    anonymous = 0;
    #version = 0;
    #newest = 0;                    // the highest version that was heard of
    #complete = false;              // whether the list has everybody
    #asking = null;                 // an object of its own for each question

    /** `ask`: resolves with the state; `tell`: as an emitter's emit. */
    constructor(ask, tell) {
        this.ask = ask;
        this.tell = tell;
    }

    get known() {
        return this.#version > 0;
    }

    /** What the stream says: the state, which holds whatever was known, or a change. */
    take({ version, state, count, anonymous, join, update, leave }) {
        if (state) {
            this.#set(version, state);
            return;
        }
        this.#newest = Math.max(this.#newest, version);
        if (version > this.#version + 1)
            this.look();
        else if (version > this.#version)
            this.#set(version, { count, anonymous, users: [...without(this.list, [...leave, ...update, ...join]), ...update, ...join] });
    }

    /** Asks; an answer may be a second old, so until it has all that was heard of. */
    async look() {
        if (this.#asking)
            return;
        const asking = this.#asking = {};
        try {
            for (let tries = 0; this.#asking === asking; tries += 1) {
                const { version, state } = await this.ask(tries && backoff(tries));
                if (this.#asking === asking && version >= this.#newest)
                    this.#set(version, state);
            }
        } catch (error) {
            if (this.#asking === asking)
                this.tell('error', error);
        }
        if (this.#asking === asking)
            this.#asking = null;
    }

    // Ends a question that is under way: it was asked before.
    #set(version, { count, anonymous, users }) {
        const before = this.#complete && users ? this.list : null;
        this.#asking = null;
        this.#version = this.#newest = version;
        this.#complete = Boolean(users);
        Object.assign(this, { list: users ?? [], count, anonymous });
        if (before) {
            without(this.list, before).forEach((one) => this.tell('join', one));
            without(before, this.list).forEach((one) => this.tell('leave', one));
        }
        this.tell('presence', this.list, { count, anonymous });
    }
}
