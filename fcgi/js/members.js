// members -- who is on a channel. Every change makes the next version; where one is missing, or none is known
// yet, the whole state is asked for.

import { backoff } from './base.js';

const personOf = ({ user, verified }) => `${verified} ${user}`;
const without = (list, others) => {
    const named = new Set(others.map(personOf));
    return list.filter((one) => !named.has(personOf(one)));
};

export class Members {
    #version = 0;
    #newest = 0;                    // the highest version that was heard of
    #named = false;                 // whether they are few enough to be named
    #asking = null;                 // an object of its own for each question

    /** What is known goes into `channel.members` and `channel.count`, and is told to who listens there. */
    constructor(channel) {
        this.channel = channel;
    }

    /** What the stream says: the state, which holds whatever was known, or a change. */
    take({ version, state, count, anonymous, join, update, leave }) {
        this.#newest = Math.max(this.#newest, version);
        if (state) {
            this.#set(version, state);
        } else if (version > this.#version + 1) {
            this.look();
        } else if (version > this.#version) {
            const here = [...update, ...join];
            this.#set(version, { count, anonymous, users: [...without(this.channel.members, [...leave, ...here]), ...here] });
        }
    }

    /** Asks, where nothing is said before that; an answer may be a second old: until it has all that was heard of. */
    async look(pause = 0) {
        if (this.#asking)
            return;
        const { channel, channel: { http, name } } = this;
        const query = new URLSearchParams({ channel: name });
        const asking = this.#asking = {};
        const is = () => this.#asking === asking && !http.closed;
        try {
            for (let tries = 0; is(); tries += 1) {
                await http.naps.sleep(tries ? backoff(tries) : pause);
                const said = is() && await http.insist(`/presence?${query}`);
                if (is() && said.version >= this.#newest)
                    this.#set(said.version, said.state);
            }
        } catch (error) {
            if (is()) {
                this.#asking = null;
                channel.emit('error', error);
            }
        }
    }

    // Ends a question that is under way: it was asked before.
    #set(version, { count, anonymous, users }) {
        const { channel } = this;
        const before = this.#named && users && channel.members;
        this.#asking = null;
        this.#version = this.#newest = version;
        this.#named = Boolean(users);
        Object.assign(channel, { count, members: users ?? [] });
        if (before) {
            without(users, before).forEach((one) => channel.emit('join', one));
            without(before, users).forEach((one) => channel.emit('leave', one));
        }
        channel.emit('presence', channel.members, { count, anonymous });
    }
}
