// channel -- one channel, as a page sees it: what comes on it, each once and in order, and who is there.

import { position } from './base.js';
import { Emitter } from './emitter.js';
import { Members } from './members.js';

const TYPING_EACH = 2000;
const STATE_WITHIN = 3000;          // a stream that tells who is there begins with it; if not, asking says why
const OURS = ['join', 'leave', 'joined'];   // what the channel says itself, so that nobody can pretend it

export class Channel extends Emitter {
    joined = false;
    members = [];                   // who is here: {user, verified, devices, since, public}
    count = 0;                      // with those who are not named
    #held = null;                   // what comes while older events are fetched
    #typed = 0;
    who = null;                     // what keeps these, where they are wanted

    /** Made by Belfry.channel(). */
    constructor(hub, name, { last, presence }) {
        super();
        Object.assign(this, { hub, http: hub.http, name, last });
        if (last)
            this.#held = [];
        if (presence)
            this.watch();
    }

    /** Publishes; resolves with the id when the event is on the server's disk. */
    send(event, data, options) {
        return this.hub.send({ channel: this.name, event, data, ...options });
    }

    /** Somebody types here; call it at every key, and with false when it is over. */
    typing(is = true) {
        if (is && Math.abs(Date.now() - this.#typed) < TYPING_EACH)
            return;
        this.#typed = is ? Date.now() : 0;
        const { name: channel, hub: { clientId: exclude } } = this;
        this.http.ask('/send', JSON.stringify({ channel, event: 'typing', data: is, exclude })).catch(() => {});
    }

    /** Events of the log, the oldest first: the newest, or those before or after an id. */
    async history({ limit = 50, ...where } = {}) {
        const order = where.after ? 'asc' : 'desc';
        const query = new URLSearchParams({ channel: this.name, limit, order, ...where });
        const { events } = await this.http.json(`/history?${query}`);
        return where.after ? events : events.reverse();
    }

    leave() {
        this.hub.leave(this);
    }

    // What follows is for Belfry.

    watch() {
        this.who = new Members(this);
        if (this.joined)
            this.who.look();
    }

    /** The server hears for us from `cursor` on; `tells`: and it says who is here. */
    async start(cursor, tells) {
        this.joined = true;
        this.emit('joined');
        this.who?.look(tells ? STATE_WITHIN : 0);
        if (!this.last) {
            this.begin(cursor);
            return;
        }
        let events = [];
        try {
            events = await this.history({ limit: this.last });
        } catch (error) {
            this.emit('error', error);
        }
        // Older events, and what came meanwhile, in one order.
        const all = [...events, ...this.#held].sort((a, b) => position(a.id) - position(b.id) || 0);
        this.#held = null;
        all.forEach((event) => this.take(event));
    }

    /** An event came. */
    take(event) {
        if (this.#held) {
            this.#held.push(event);
        } else if (this.isNew(event)) {
            const name = event.event ?? 'message';
            if (!OURS.includes(name))
                this.emit(name, event.data, event);
            this.emit('*', event.data, { ...event, event: name });
        }
    }
}
