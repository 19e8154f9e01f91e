// client -- Belfry in a page or a script: one stream for all channels and all tabs, and sends that arrive.

import { Naps, position, takesIn } from './base.js';
import { Channel } from './channel.js';
import { Emitter } from './emitter.js';
import { Http } from './http.js';
import { Line } from './line.js';
import { Outbox } from './outbox.js';
import { Tabs } from './tabs.js';

const GATHERING = 50;               // ms in which the other tabs say what they want

const revived = (error) => error && Object.assign(new Error(), error);

export class Belfry extends Emitter {
    state = 'connecting';
    transport = 'stream';
    user = null;
    clientId = null;
    error = null;
    cursor = null;
    #channels = new Map();
    #wants = null;                  // of all tabs, where this one leads: tab (undefined: this one) -> {names, presence, cursor}
    #naps = new Naps();
    #line = null;
    #tabs = null;
    #planned = false;
    #behind;                        // what comes is not for this tab before the stream is where it was
    #off = new AbortController();

    /** See README.md for the options. */
    constructor(url = '/events', options = {}) {
        super();
        this.options = options;
        this.http = new Http(url, options, this.#naps);
        this.outbox = new Outbox(this.http, options.queue ?? 100);
        this.key = `belfry ${this.http.url} ${options.share ?? ''}`;
        if (options.resume)
            this.cursor = globalThis.sessionStorage?.getItem(this.key) ?? null;
        this.#rise();
        this.#listen();
    }

    /** The channel of that name, joined if it was not. */
    channel(name, options = {}) {
        let channel = this.#channels.get(name);
        if (!channel) {
            channel = new Channel(this, name, options);
            this.#channels.set(name, channel);
        } else if (options.presence && !channel.who) {
            channel.watch();
        }
        this.#plan();
        return channel;
    }

    /** Publishes what POST /send takes; resolves with the id when the event is on the server's disk. */
    send(send) {
        return this.outbox.put(send.exclude === true ? { ...send, exclude: this.clientId } : send);
    }

    #all() {
        return [...this.#channels.values()];
    }

    leave(channel) {
        if (this.#channels.get(channel.name) === channel && this.#channels.delete(channel.name))
            this.#plan();
    }

    /** Tries at once; resolves when it is live. */
    async connect() {
        this.#nudge();
        while (this.state !== 'live') {
            if (!this.http.closed)
                await new Promise((done) => { const off = this.on('state', () => done(off())); });
            if (this.state === 'refused' || this.state === 'closed')
                throw this.error ?? new Error(this.state);
        }
        return this;
    }

    close() {
        this.http.closed = true;
        this.#off.abort();
        this.#rest();
        this.#naps.wake();
        this.#does.status({ state: 'closed' });
    }

    #listen() {
        const heard = {
            online: () => this.#nudge(),
            visibilitychange: () => this.#nudge(),
            // A page that is left may be kept for who comes back, with its stream; nobody is there.
            pagehide: () => {
                if (this.options.resume && this.cursor)
                    sessionStorage.setItem(this.key, this.cursor);
                this.#rest();
            },
            pageshow: () => this.#tabs || this.#rise(),
        };
        for (const [name, fn] of Object.entries(heard))
            globalThis.addEventListener?.(name, fn, { signal: this.#off.signal });
    }

    #rise() {
        this.#behind = true;
        this.#tabs = new Tabs(this.options.share === false ? null : this.key, this.http.patience, {
            lead: () => this.#lead(),
            lost: () => this.#stop(),
            greet: () => this.#plan(),
            hear: ({ kind, what, tab }) => this.#does[kind]?.(what, tab),
        });
    }

    #rest() {
        this.#tabs?.close();
        this.#tabs = null;
        this.#stop();
    }

    #stop() {
        this.#line?.close();
        this.#line = this.#wants = null;
    }

    #nudge() {
        this.#naps.wake();
        this.#line?.nudge();
        this.#tabs?.say('nudge');
    }

    // What this tab wants is said when all of it is known: in a moment.
    async #plan() {
        if (this.#planned)
            return;
        this.#planned = true;
        await null;
        this.#planned = false;
        const channels = this.#all();
        const want = {
            names: channels.map(({ name }) => name), presence: channels.some(({ who }) => who), cursor: this.cursor,
        };
        this.#tabs?.say('want', want);
        this.#does.want(want);
    }

    // What all tabs want.
    #unite() {
        const all = [...this.#wants.values()];
        this.#line?.want(all.flatMap(({ names }) => names), all.some(({ presence }) => presence));
    }

    async #lead() {
        const wants = this.#wants = new Map();
        // The others say what they want, so that the stream begins with all of it, where the last one of them is.
        this.#tabs.say('lead');
        this.#plan();
        await this.#naps.sleep(this.cursor ? GATHERING : 0);
        if (this.#wants !== wants)
            return;
        const [cursor] = [...wants.values()].map((want) => want.cursor).sort((a, b) => position(a) - position(b));
        const line = this.#line = new Line(this.http, cursor, (kind, what) => {
            if (this.#line === line)
                this.#tell(kind, what);
        });
        this.#unite();
        line.open();
    }

    #tell(kind, what) {
        this.#tabs.say(kind, what);
        this.#does[kind]?.(what);
    }

    // What tabs say to each other, and who leads to all.
    #does = {
        lead: () => this.#plan(),
        nudge: () => this.#line?.nudge(),
        rewind: (cursor) => this.#line?.rewind(cursor),
        ping: () => this.#line && this.#tabs.say('status', this.#line.status()),
        want: (want, tab) => {
            if (!this.#wants)
                return;
            if (tab && !this.#wants.has(tab)) {
                this.#tabs.whenGone(tab, () => this.#wants?.delete(tab) && this.#unite());
                // It comes late, or back: its channels begin where it was.
                if (want.cursor)
                    this.#line?.rewind(want.cursor);
            }
            this.#wants.set(tab, want);
            this.#unite();
            this.#line?.hears();
            this.#does.ping();
        },
        status: ({ state, transport = this.transport, clientId = this.clientId, user = this.user, error }) => {
            const changed = state !== this.state || transport !== this.transport;
            Object.assign(this, { state, transport, clientId, user, error: revived(error) });
            if (changed)
                this.emit('state', state, { transport, error: this.error });
        },
        joined: ({ channels, cursor }) => {
            // Who leads is further: what is between comes once more, and is new to this tab alone.
            this.#behind = position(cursor) > position(this.cursor);
            if (this.#behind)
                this.#tell('rewind', this.cursor);
            this.cursor ??= cursor;
            for (const channel of this.#all()) {
                if (!channel.joined && channels.includes(channel.name))
                    channel.start(this.cursor, this.#line && this.transport === 'stream');
            }
        },
        cursor: (cursor) => {
            if (!this.#behind)
                this.cursor = cursor;
        },
        polled: (cursor) => {
            this.#does.cursor(cursor);
            this.#all().forEach((channel) => channel.who?.look());
        },
        event: (event) => {
            if (this.#behind)
                return;
            this.cursor = event.id ?? this.cursor;
            if (this.isNew(event))
                this.emit('*', event.data, event);
            this.#all().forEach((channel) => takesIn(channel.name, event.channel) && channel.take(event));
        },
        gap: (gap) => {
            for (const one of [this, ...this.#all().filter(({ name }) => gap.channels?.includes(name))]) {
                // Another log may have begun, whose positions are lower.
                if (/reset|unknown/.test(gap.reason)) {
                    one.begin();
                    this.cursor = gap.oldest;
                }
                one.emit('gap', gap);
            }
        },
        presence: (said) => this.#channels.get(said.channel)?.who?.take(said),
        refused: ({ name, error }) => {
            const channel = this.#channels.get(name);
            channel?.leave();
            channel?.emit('error', revived(error));
        },
    };
}
