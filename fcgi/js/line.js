// line -- the connection of a browser to the worker: a stream, or polls where a proxy holds streams back
// or cuts them. Knows which channels are wanted and how far it has come; never who listens.

import { backoff, position, randomName } from './base.js';
import { passes } from './http.js';
import { read } from './sse.js';

const CUTS_MOST = 3;                // streams in a row that were cut young
const TRIAL_MOST = 30 * 60000;
const WAITS = [2, 25];              // seconds that a poll waits, at least and at most
const LOOKS = 10;                   // … where it is asked after each who is there

// As it may be told to other tabs.
const plain = ({ message, status, code, detail }) => ({ message, status, code, detail });

export class Line {
    transport = 'stream';
    state = 'connecting';
    clientId = randomName();
    joined = [];                    // what the server says that we hear
    #asked = new Set();             // what we asked for
    #wanted = new Set();
    #presence = false;              // whether to tell who is there
    #watching = false;              // whether the stream that is open does
    #abort = null;
    #again = false;
    #heardAt = 0;
    #quiet = Infinity;              // so long a silence means that the stream is dead
    #end;                           // what is to be said about the end of a stream: connected, bye, silent, error
    #retry = 2000;
    #tries = 0;
    #cuts = 0;
    #wait;
    #trial;                         // how long polls go on before streams are tried again
    #fell;
    #changing = Promise.resolve();
    #refused = false;
    #why = null;                    // what the last try failed of

    /** `tell(kind, what)`: status, joined, event, cursor, gap, refused, presence, polled. */
    constructor(http, cursor, tell) {
        this.http = http;
        this.cursor = cursor;
        this.tell = tell;
        this.patience = http.patience;
        this.#trial = 6 * this.patience;
    }

    /** Goes on until it is closed or refused for good; open() then begins anew. */
    async open() {
        this.state = 'connecting';
        this.#refused = false;
        while (!this.closed && !this.#refused) {
            const pause = await this.#once();
            if (pause && !this.closed) {
                this.#status('waiting');
                await this.http.naps.sleep(pause);
            }
        }
        // Last of all: who hears it may open again.
        if (this.#refused)
            this.#status('refused');
    }

    close() {
        this.closed = true;
        this.#abort?.abort();
    }

    /** There is reason to try at once: the network is back, somebody looks, somebody asks. */
    nudge() {
        if (this.state === 'refused')
            this.open();
        else if (Date.now() - this.#heardAt > this.#quiet)
            this.#restart();
    }

    /** Somebody has heard nothing since then. */
    rewind(cursor) {
        if (position(cursor) < position(this.cursor))
            this.cursor = cursor;
        this.joined = [];           // a poll tells it anew, as a stream does
        this.#restart();
    }

    // What is open now ends, and the next one begins at once.
    #restart() {
        this.#again = true;
        this.#abort?.abort();
    }

    want(names, presence) {
        this.#wanted = new Set(names);
        this.#presence = presence;
        this.#changing = this.#changing.then(() => this.#change()).catch(async () => {
            await this.http.naps.sleep(backoff(this.#tries++));
            this.#restart();
        });
    }

    status() {
        const { state, transport, clientId, user } = this;
        return { state, transport, clientId, user, error: /waiting|refused/.test(state) ? this.#why : null };
    }

    #status(state) {
        this.state = state;
        this.tell('status', this.status());
    }

    #query(more) {
        const { ping, name } = this.http.options;
        const query = new URLSearchParams({ envelope: 1, client: this.clientId });
        for (const [option, value] of Object.entries({ cursor: this.cursor, ping, name, presence: this.#presence && 1, ...more })) {
            if (value)
                query.set(option, value);
        }
        this.#watching = this.#presence;
        // What was asked for and is not wanted any more stays in it: the server may remember it.
        for (const channel of this.#wanted) {
            query.append('channel', channel);
            this.#asked.add(channel);
        }
        return query;
    }

    /** One stream, to its end, or one poll; returns how long to wait before the next one. */
    async #once() {
        this.#again = false;
        const polls = this.transport === 'poll';
        if (polls && Math.abs(Date.now() - this.#fell) > this.#trial)
            return this.#rise();
        const abort = this.#abort = new AbortController();
        const { signal } = abort;
        const began = Date.now();
        this.#end = {};
        let watch;
        const alive = (ms) => {
            clearTimeout(watch);
            this.#heardAt = Date.now();
            watch = setTimeout(() => {
                this.#end.silent = true;
                abort.abort();
            }, ms);
        };
        this.#quiet = Infinity;
        try {
            if (polls) {
                await this.#poll(signal, alive);
            } else {
                this.#status('connecting');
                alive(this.patience);
                await read(await this.http.ask(`?${this.#query()}`, undefined, signal), signal, (blocks) => {
                    blocks.forEach((block) => this.#block(block));
                    alive(Math.min(this.#quiet, 40000));
                });
            }
        } catch (error) {
            this.#end.error = error;
        }
        clearTimeout(watch);
        abort.abort();
        return this.#after(Date.now() - began, polls);
    }

    async #poll(signal, alive) {
        const fresh = this.state !== 'live' || [...this.#wanted].some((name) => !this.joined.includes(name));
        const wait = fresh ? '0' : Math.min(this.#wait, this.#presence ? LOOKS : Infinity);
        alive(1000 * wait + 4 * this.patience);
        const query = this.#query({ wait });
        const answer = await this.http.ask(`/poll?${query}`, undefined, signal);
        const { gap, events, cursor, clientId } = await answer.json();
        this.#tries = 0;
        this.clientId = clientId;
        this.cursor ??= cursor;
        if (fresh)
            this.hears(query.getAll('channel'));
        if (gap)
            this.tell('gap', gap);
        this.cursor = cursor;
        events.forEach((event) => this.tell('event', event));
        this.tell('polled', cursor);
        if (fresh)
            this.#status('live');
    }

    #block({ id, event, data, retry }) {
        if (retry)
            this.#retry = Number(retry);
        const said = data && JSON.parse(data);
        if (event === 'connected')
            this.#connected(said);
        else if (event === 'bye')
            this.#end.bye = true;
        else if (event === 'token')
            this.#refresh().catch(() => {});   // a bye follows, and a fresh token then
        else if (event)
            this.tell(event, said);            // gap, presence
        else if (said)
            this.tell('event', said);
        else if (id)
            this.tell('cursor', id);
        // What is said now is about where we were. A gap that ends before that is of another log.
        if (id || position(said?.oldest) < position(this.cursor))
            this.cursor = id ?? said.oldest;
    }

    #connected(said) {
        this.#end.connected = true;
        this.#tries = 0;
        this.#quiet = 2500 * said.ping;
        this.cursor ??= said.cursor;
        this.clientId = said.clientId;
        this.user = said.user;
        this.hears(said.channels);
        this.#status('live');
        this.want(this.#wanted, this.#presence);
    }

    /** Tells what the server says that we hear, and how far we have come. */
    hears(channels = this.joined) {
        this.joined = channels;
        this.tell('joined', { channels, cursor: this.cursor });
    }

    /** What the end says about the way to the server; returns how long to wait. */
    #after(lived, polls) {
        const { error, connected, bye, silent } = this.#end;
        if (this.closed || this.#again)
            return 0;
        this.#why = error && plain(error);
        if (error?.status)
            return this.#refusal(error);
        if (bye)
            return this.#retry;
        if (polls)
            return error ? this.#unpolled(lived) : 0;
        if (connected) {
            this.#cuts = silent || lived < 4 * this.patience ? this.#cuts + 1 : 0;
            if (!this.#cuts)
                this.#trial = 6 * this.patience;
        }
        if (this.#cuts >= CUTS_MOST || (silent && !connected))
            return this.#fall();
        return connected ? this.#retry : backoff(this.#tries++);
    }

    /** Nothing comes through, or not for long: polls do better. Streams are tried again by and by. */
    #fall() {
        this.transport = 'poll';
        this.#fell = Date.now();
        this.#trial = Math.min(2 * this.#trial, TRIAL_MOST);
        this.#cuts = CUTS_MOST - 1;         // the next one has one chance
        this.#wait = WAITS[1];
        this.#status('connecting');
        return 0;
    }

    #rise() {
        this.transport = 'stream';
        return 0;
    }

    // Cut while it waited: shorter ones may live. Else polls do no better than streams.
    #unpolled(lived) {
        if (lived > 1000 && this.#wait > WAITS[0]) {
            this.#wait = Math.max(WAITS[0], this.#wait >> 1);
            return 0;
        }
        return this.#rise() || backoff(this.#tries++);
    }

    /** A refusal that passes is waited for; one of a channel is the channel's; any other ends it all. */
    #refusal(error) {
        if (passes(error))
            return Math.max(error.after, backoff(this.#tries++));
        this.#refused = !this.#refuse(error);
        return 0;
    }

    #refuse(error, names = /^channel: (.*): [^:]+$/.exec(error.detail)?.slice(1) ?? []) {
        const mine = names.filter((name) => this.#wanted.delete(name));
        for (const name of mine) {
            this.#asked.delete(name);
            this.tell('refused', { name, error: plain(error) });
        }
        return mine.length;
    }

    /** What is wanted now, and was not, is joined on the stream that is open; what is not, is left. */
    async #change() {
        if (this.state !== 'live' || this.#again)
            return;
        const missing = [...this.#wanted].filter((name) => !this.joined.includes(name));
        const gone = [...this.#asked].filter((name) => !this.#wanted.has(name));
        if (this.transport === 'poll' ? missing.length : this.#presence && !this.#watching) {
            this.#restart();
            return;
        }
        this.#asked = new Set(this.#wanted);
        this.joined = this.joined.filter((name) => !gone.includes(name));
        if (gone.length)
            await this.#tell('/unsubscribe', gone);
        if (missing.length)
            await this.#join(missing);
    }

    async #join(channels) {
        try {
            await this.#tell('/subscribe', channels, { last: 0 });
        } catch (error) {
            // 404: the stream is not known any more, so the next one asks for all of them.
            if (passes(error) || error.status === 404)
                throw error;
            if (this.#refuse(error))
                await this.#change();
            else
                this.#refuse(error, channels);
        }
    }

    async #tell(path, channels, begin) {
        this.hears((await this.http.json(path, JSON.stringify({ clientId: this.clientId, channels, ...begin }))).channels);
    }

    async #refresh() {
        await this.http.token(true);
        await this.http.ask('/refresh', JSON.stringify({ clientId: this.clientId }));
    }
}
