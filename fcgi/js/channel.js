// channel -- one channel, as a page sees it: what comes on it, each once and in order.

import { position } from './base.js';
import { Emitter } from './emitter.js';
import { Members } from './members.js';

const TYPING_EACH = 2000;
const STATE_WITHIN = 3000;          // a stream that tells who is there begins with it; if not, asking says why
const OURS = ['join', 'leave', 'joined'];   // what the channel says itself, so that nobody can pretend it

export class Channel extends Emitter {
    joined = false;
    #after = 0;                     // the position of the last event that was heard
    #held = null;                   // what comes while older events are fetched
    #typed = 0;
    #members = null;

    /** Made by Belfry.channel(). */
    constructor(hub, http, name, { last = 0, presence }) {
        super();
        this.hub = hub;
        this.http = http;
        this.name = name;
        this.last = last;
        if (last)
            this.#held = [];
        if (presence)
            this.watch();
    }

    /** Who is here: {user, verified, devices, since, public}. Empty where they are too many to be named. */
    get members() {
        return this.#members?.list ?? [];
    }

    /** How many are here, with those who are not named. */
    get count() {
        return this.#members?.count ?? 0;
    }

    /** Publishes; resolves with the id when the event is on the server's disk. */
    send(event, data, options) {
        return this.hub.send({ channel: this.name, event, data, ...options });
    }

    /** Somebody types here; call it at every key, and with false when it is over. */
    typing(is = true) {
        if (is && Date.now() - this.#typed < TYPING_EACH)
            return;
        this.#typed = is ? Date.now() : 0;
        this.http.post('/send', { channel: this.name, event: 'typing', data: is, exclude: this.hub.clientId }).catch(() => {});
    }

    /** Events of the log, the oldest first: the newest, or those before or after an id. */
    async history({ limit = 50, ...where } = {}) {
        const query = new URLSearchParams({ channel: this.name, limit, order: where.after ? 'asc' : 'desc', ...where });
        const { events } = await (await this.http.ask(`/history?${query}`)).json();
        return where.after ? events : events.reverse();
    }

    leave() {
        this.hub.leave(this);
    }

    // What follows is for Belfry.

    watch() {
        const query = new URLSearchParams({ channel: this.name });
        this.#members = new Members(async (pause) => {
            await this.http.naps.sleep(pause);
            return this.http.insist(`/presence?${query}`, undefined, () => Infinity);
        }, (...said) => this.http.closed || this.emit(...said));
        if (this.joined)
            this.look();
    }

    get presence() {
        return Boolean(this.#members);
    }

    /** What the stream says of who is here. */
    heard(said) {
        this.#members?.take(said);
    }

    look() {
        this.#members?.look();
    }

    /** The server hears for us from `cursor` on; `tells`: and it says who is here. */
    async begin(cursor, tells) {
        this.joined = true;
        this.emit('joined');
        if (tells)
            this.http.naps.sleep(STATE_WITHIN).then(() => this.#members?.known || this.look());
        else
            this.look();
        if (!this.last) {
            this.#after = position(cursor);
            return;
        }
        try {
            this.release(await this.history({ limit: this.last }));
        } catch (error) {
            this.release([]);
            this.emit('error', error);
        }
    }

    hold() {
        this.#held ??= [];
    }

    /** Older events, and what came meanwhile, in one order. */
    release(events) {
        const all = [...events, ...this.#held ?? []].sort((a, b) => position(a.id) - position(b.id) || 0);
        this.#held = null;
        all.forEach((event) => this.take(event));
    }

    /** An event came. What is not above the last one has been heard. */
    take(event) {
        if (this.#held) {
            this.#held.push(event);
            return;
        }
        if (event.id) {
            if (position(event.id) <= this.#after)
                return;
            this.#after = position(event.id);
        }
        const name = event.event ?? 'message';
        if (!OURS.includes(name))
            this.emit(name, event.data, event);
        this.emit('*', event.data, { ...event, event: name });
    }

    gap(gap) {
        // Another log may have begun, whose positions are lower.
        if (gap.reason === 'reset' || gap.reason === 'unknown')
            this.#after = 0;
        this.emit('gap', gap);
    }
}
