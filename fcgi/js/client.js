// client -- Belfry in a page or a script: one stream for all channels and all tabs, and sends that arrive.

import { Naps, position, takesIn } from './base.js';
import { Channel } from './channel.js';
import { Emitter } from './emitter.js';
import { Http } from './http.js';
import { Line } from './line.js';
import { Outbox } from './outbox.js';
import { Tabs } from './tabs.js';
import { Token } from './token.js';

const GATHERING = 50;               // ms in which the other tabs say what they want

export class Belfry extends Emitter {
    state = 'connecting';
    transport = 'stream';
    user = null;
    clientId = null;
    error = null;
    cursor = null;
    #channels = new Map();
    #wants = null;                  // of all tabs, where this one leads: tab -> {name: where to go on}
    #naps = new Naps();
    #line = null;
    #tabs;
    #planned = null;
    #off = new AbortController();

    /** See README.md for the options. */
    constructor(url = '/events', options = {}) {
        super();
        this.options = options;
        this.http = new Http(url, new Token(options.token), options, this.#naps);
        this.outbox = new Outbox(this.http, options.queue ?? 100);
        this.key = `belfry ${this.http.url} ${options.share ?? ''}`;
        if (options.resume)
            this.cursor = globalThis.sessionStorage?.getItem(this.key) ?? null;
        this.#begin();
        this.#listen();
    }

    /** The channel of that name, joined if it was not. */
    channel(name, options = {}) {
        let channel = this.#channels.get(name);
        if (!channel) {
            channel = new Channel(this, this.http, name, options);
            this.#channels.set(name, channel);
            this.#plan();
        } else if (options.presence && !channel.presence) {
            channel.watch();
            this.#plan();
        }
        return channel;
    }

    /** Publishes what POST /send takes; resolves with the id when the event is on the server's disk. */
    send(send) {
        return this.outbox.put(send.exclude === true ? { ...send, exclude: this.clientId } : send);
    }

    leave(channel) {
        if (this.#channels.get(channel.name) === channel && this.#channels.delete(channel.name))
            this.#plan();
    }

    /** Tries at once; resolves when it is live. */
    connect() {
        this.#nudge();
        return new Promise((done, fail) => {
            const look = () => {
                if (this.state === 'live')
                    done(this);
                else if (this.state === 'refused' || this.state === 'closed')
                    fail(this.error ?? new Error(this.state));
                else
                    return;
                off();
            };
            const off = this.on('state', look);
            if (this.state !== 'refused')
                look();
        });
    }

    close() {
        this.http.closed = true;
        this.#off.abort();
        this.#rest();
        this.#naps.wake();
        this.#setState({ state: 'closed' });
    }

    #begin() {
        this.#tabs = new Tabs(this.options.share === false ? null : this.key, {
            lead: (tabs) => this.#lead(tabs), greet: () => this.#plan(), hear: (message) => this.#hear(message),
        });
    }

    #rest() {
        this.#tabs?.close();
        this.#tabs = null;
        this.#line?.close();
        this.#line = this.#wants = null;
    }

    #listen() {
        const heard = (target, name, fn) => target?.addEventListener?.(name, fn, { signal: this.#off.signal });
        const { document } = globalThis;
        heard(globalThis, 'online', () => this.#nudge());
        heard(document, 'visibilitychange', () => document.hidden || this.#nudge());
        // A page that is left may be kept for who comes back, with its stream; nobody is there.
        heard(globalThis, 'pagehide', () => {
            this.#remember();
            this.#rest();
        });
        heard(globalThis, 'pageshow', () => this.#tabs || this.#begin());
    }

    #remember() {
        if (this.options.resume && this.cursor)
            globalThis.sessionStorage?.setItem(this.key, this.cursor);
    }

    #nudge() {
        this.#naps.wake();
        this.#line?.nudge();
        this.#tabs?.say({ kind: 'nudge' });
    }

    // What this tab wants is said when all of it is known: in a moment.
    #plan() {
        this.#planned ??= Promise.resolve().then(() => {
            this.#planned = null;
            if (!this.#tabs)
                return;
            const wants = {};
            for (const { name, joined, presence } of this.#channels.values())
                wants[name] = { from: joined ? this.cursor : null, presence };
            this.#tabs.say({ kind: 'want', tab: this.#tabs.id, wants });
            this.#want(this.#tabs.id, wants);
            if (this.#line)
                this.#begin({ channels: this.#line.joined, cursor: this.#line.cursor });    // left, and joined again meanwhile
        });
    }

    /** What a tab wants, where this one leads. */
    #want(tab, wants) {
        if (!this.#wants)
            return;
        this.#wants.set(tab, wants);
        const all = new Map();
        for (const [name, { from, presence }] of [...this.#wants.values()].flatMap(Object.entries)) {
            const known = all.get(name);
            all.set(name, { from: from ?? known?.from, presence: presence || known?.presence });
        }
        this.#line?.want(all);
    }

    async #lead(tabs) {
        if (this.#tabs !== tabs)
            return;
        this.#wants = new Map();
        // The others say what they want, so that the stream begins with all of it.
        this.#tabs.say({ kind: 'lead' });
        await this.#naps.sleep(this.cursor ? GATHERING : 0);
        if (this.#tabs !== tabs)
            return;
        this.#line = new Line(this.http, this.options, this.cursor, (kind, what) => {
            tabs.say({ kind, what });
            this.#take(kind, what);
        });
        this.#plan();
        await this.#planned;
        this.#line?.open();
    }

    // Messages of other tabs.
    #hear({ kind, what, tab, wants }) {
        if (kind === 'lead')
            this.#plan();
        else if (kind === 'nudge')
            this.#line?.nudge();
        else if (kind === 'want')
            this.#meet(tab, wants);
        else if (!this.#line)
            this.#take(kind, what);
    }

    #meet(tab, wants) {
        if (this.#wants?.has(tab) === false)
            this.#tabs.whenGone(tab, () => this.#want(tab, {}));
        this.#want(tab, wants);
        if (this.#line) {
            this.#tabs.say({ kind: 'joined', what: { channels: this.#line.joined, cursor: this.#line.cursor } });
            this.#tabs.say({ kind: 'status', what: this.#line.status() });
        }
    }

    // What the line hears, here or in the tab that leads.
    #take(kind, what) {
        const channels = [...this.#channels.values()];
        if (kind === 'status') {
            this.#setState(what);
        } else if (kind === 'joined') {
            this.#joined(what);
        } else if (kind === 'cursor') {
            this.cursor = what;
        } else if (kind === 'polled') {
            this.cursor = what;
            channels.forEach((channel) => channel.look());
        } else if (kind === 'presence') {
            this.#channels.get(what.channel)?.heard(what);
        } else if (kind === 'event') {
            this.cursor = what.cursor ?? this.cursor;
            this.emit('*', what.event.data, what.event);
            channels.filter(({ name }) => takesIn(name, what.event.channel)).forEach((channel) => channel.take(what.event));
        } else if (kind === 'gap') {
            this.emit('gap', what);
            channels.filter(({ name }) => what.channels?.includes(name)).forEach((channel) => channel.gap(what));
        } else if (kind === 'refused') {
            const channel = this.#channels.get(what.name);
            this.#channels.delete(what.name);
            channel?.emit('error', Object.assign(new Error(), what.error));
        }
    }

    #setState({ state, transport = this.transport, clientId = this.clientId, user = this.user, error }) {
        const changed = state !== this.state || transport !== this.transport;
        Object.assign(this, { state, transport, clientId, user });
        this.error = error ? Object.assign(new Error(), error) : null;
        if (changed)
            this.emit('state', state, { transport, error: this.error });
    }

    #joined({ channels, cursor }) {
        const behind = !this.#line && this.cursor && position(cursor) > position(this.cursor);
        if (behind)
            this.#catchUp(this.cursor);
        this.cursor ??= cursor;
        for (const channel of this.#channels.values()) {
            if (!channel.joined && channels.includes(channel.name))
                channel.begin(behind ? this.cursor : cursor, this.#line && this.transport === 'stream');
        }
        if (behind)
            this.cursor = cursor;
    }

    // The tab that leads is further than this one: what is between comes from the log.
    async #catchUp(after) {
        const channels = [...this.#channels.values()];
        if (!channels.length)
            return;
        channels.forEach((channel) => {
            channel.hold();
            channel.look();
        });
        const names = channels.map(({ name }) => name);
        const { events, gap } = await this.http.since(after, names)
            .catch(() => ({ events: [], gap: { requested: after, oldest: null, reason: 'unknown', channels: names } }));
        if (gap)
            this.#take('gap', gap);
        channels.forEach((channel) => channel.release(events.filter((event) => takesIn(channel.name, event.channel))));
    }
}
