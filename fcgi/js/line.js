// line -- the connection of a browser to the worker: a stream, or polls where a proxy holds streams back
// or cuts them. Knows which channels are wanted and how far it has come; never who listens.

import { backoff, position, randomName } from './base.js';
import { refusal } from './http.js';
import { parser, read } from './sse.js';

const CUTS_MOST = 3;                // streams in a row that were cut young
const NEVER = 4e9;                  // nothing that is logged came after it: from here on
const TRIAL_MOST = 30 * 60000;
const WAITS = [2, 25];              // seconds that a poll waits, at least and at most
const LOOKS = 10;                   // … where it is asked after each who is there

// As it may be told to other tabs.
const plain = ({ message, status, code, detail }) => ({ message, status, code, detail });
// Which channel a refusal is about.
const nameOf = (error) => /^channel: (.*): [^:]+$/.exec(error.detail ?? '')?.[1];

export class Line {
    transport = 'stream';
    state = 'connecting';
    clientId = randomName();
    joined = [];                    // what the server says that we hear
    #asked = [];                    // what we asked for
    #wanted = new Map();            // name -> {from, presence}
    #watching = false;              // whether the stream that is open tells who is there
    #abort = null;
    #again = false;
    #heardAt = 0;
    #quiet = Infinity;              // so long a silence means that the stream is dead
    #retry = 2000;
    #tries = 0;
    #cuts = 0;
    #wait = WAITS[1];
    #trial;                         // how long polls go on before streams are tried again
    #trialAt;
    #changing = Promise.resolve();
    #refused = null;
    #why = null;                    // what the last try failed of

    /** `tell(kind, what)`: status, joined, event, cursor, gap, refused, presence, polled. */
    constructor(http, options, cursor, tell) {
        this.http = http;
        this.cursor = cursor;
        this.tell = tell;
        this.patience = options.patience ?? 5000;
        this.options = options;
        this.#trial = 12 * this.patience;
    }

    /** Goes on until it is closed or refused for good; open() then begins anew. */
    async open() {
        this.#refused = null;
        while (!this.closed && !this.#refused) {
            const pause = await (this.transport === 'poll' ? this.#poll() : this.#stream());
            if (pause && !this.closed) {
                this.#status('waiting');
                await this.http.naps.sleep(pause);
            }
        }
    }

    close() {
        this.closed = true;
        this.#abort?.abort();
    }

    /** There is reason to try at once: the network is back, somebody looks, somebody asks. */
    nudge() {
        if (this.#refused)
            this.open();
        else if (Date.now() - this.#heardAt > this.#quiet)
            this.#restart();
    }

    // What is open now ends, and the next one begins at once.
    #restart() {
        this.#again = true;
        this.#abort?.abort();
    }

    /** `wanted`: name -> {from: where to go on, null: from here on; presence: whether to tell who is there}. */
    want(wanted) {
        this.#wanted = wanted;
        this.#changing = this.#changing.then(() => this.#change()).catch(async () => {
            await this.http.naps.sleep(backoff(this.#tries++));
            this.#restart();
        });
    }

    status() {
        const { state, transport, clientId, user, cursor } = this;
        return { state, transport, clientId, user, cursor, error: this.#refused ?? (state === 'waiting' ? this.#why : null) };
    }

    #status(state) {
        this.state = state;
        this.tell('status', this.status());
    }

    #query() {
        const query = new URLSearchParams({ envelope: 1, client: this.clientId });
        if (this.cursor)
            query.set('cursor', this.cursor);
        for (const option of ['ping', 'name']) {
            if (this.options[option])
                query.set(option, this.options[option]);
        }
        this.#watching = this.#watches();
        if (this.#watching)
            query.set('presence', 1);
        this.#asked = [...this.#wanted.keys()];
        this.#asked.forEach((name) => query.append('channel', name));
        return query;
    }

    #watches() {
        return [...this.#wanted.values()].some(({ presence }) => presence);
    }

    /** One stream, to its end; returns how long to wait before the next one. */
    async #stream() {
        const abort = new AbortController();
        const began = Date.now();
        const end = {};                     // what is to be said about it: connected, bye, silent, error
        let watch;
        const alive = (ms) => {
            clearTimeout(watch);
            this.#heardAt = Date.now();
            watch = setTimeout(() => {
                end.silent = true;
                abort.abort();
            }, ms);
        };
        this.#abort = abort;
        this.#quiet = Infinity;
        this.#status('connecting');
        try {
            alive(this.patience);
            const answer = await this.http.ask(`?${this.#query()}`, { accept: 'text/event-stream', signal: abort.signal });
            const push = parser((block) => this.#block(block, end));
            await read(answer, (text) => {
                push(text);
                alive(Math.min(this.#quiet, 40000));
            });
        } catch (error) {
            end.error = error;
        }
        clearTimeout(watch);
        abort.abort();
        return this.#after(end, Date.now() - began);
    }

    #block({ id, event, data, retry }, end) {
        if (retry)
            this.#retry = retry;
        if (id)
            this.cursor = id;
        if (data === undefined) {
            if (id)
                this.tell('cursor', id);
            return;
        }
        const said = JSON.parse(data);
        if (event === 'connected')
            this.#connected(said, end);
        else if (event === 'bye')
            end.bye = said.reason;
        else if (event === 'token')
            this.#refresh().catch(() => {});   // a bye follows, and a fresh token then
        else if (event === 'gap' || event === 'presence')
            this.tell(event, said);
        else if (!event)
            this.tell('event', { event: said, cursor: this.cursor });
    }

    #connected(said, end) {
        end.connected = true;
        this.#tries = 0;
        this.#quiet = 2500 * said.ping;
        this.cursor ??= said.cursor;
        this.clientId = said.clientId;
        this.user = said.user;
        this.#joined(said.channels, this.cursor);
        this.#status('live');
        this.want(this.#wanted);
    }

    #joined(channels, cursor) {
        this.joined = channels;
        this.tell('joined', { channels, cursor });
    }

    /** What the end of a stream says about the way to the server; returns how long to wait. */
    async #after({ error, connected, bye, silent }, lived) {
        if (this.#isOver())
            return 0;
        this.#why = error && plain(error);
        if (error?.status)
            return this.#refusal(error);
        if (bye === 'kicked')
            return this.#refusal(refusal(403, { detail: 'kicked' }));
        if (bye === 'expired')
            await this.http.token.get(true).catch(() => {});
        if (bye)
            return bye === 'expired' ? 0 : this.#retry;
        if (connected)
            this.#cuts = lived < 4 * this.patience ? this.#cuts + 1 : 0;
        if (silent || this.#cuts >= CUTS_MOST)
            return this.#fall();
        return connected ? this.#retry : backoff(this.#tries++);
    }

    // Whether it ended because we wanted it to.
    #isOver() {
        const { closed } = this;
        const again = this.#again;
        this.#again = false;
        return closed || again;
    }

    /** Nothing comes through, or not for long: polls do better. Streams are tried again by and by. */
    #fall() {
        this.transport = 'poll';
        this.#trialAt = Date.now() + this.#trial;
        this.#trial = Math.min(2 * this.#trial, TRIAL_MOST);
        this.#cuts = CUTS_MOST - 1;         // the next one has one chance
        this.#status('connecting');
        return 0;
    }

    #rise() {
        this.transport = 'stream';
        return 0;
    }

    /** One poll; returns how long to wait before the next. */
    async #poll() {
        if (Date.now() > this.#trialAt)
            return this.#rise();
        const began = Date.now();
        const fresh = this.state !== 'live' || [...this.#wanted.keys()].some((name) => !this.joined.includes(name));
        const wait = fresh ? 0 : Math.min(this.#wait, this.#watches() ? LOOKS : Infinity);
        const abort = this.#abort = new AbortController();
        const watch = setTimeout(() => abort.abort(), 1000 * wait + 4 * this.patience);
        try {
            const query = this.#query();
            query.set('wait', wait);
            const answer = await this.http.ask(`/poll?${query}`, { signal: abort.signal });
            this.#polled(await answer.json(), fresh);
            return 0;
        } catch (error) {
            return this.#isOver() ? 0 : this.#unpolled(error, wait, Date.now() - began);
        } finally {
            clearTimeout(watch);
        }
    }

    #polled({ gap, events, cursor, clientId }, fresh) {
        this.#heardAt = Date.now();
        this.#tries = 0;
        this.clientId = clientId;
        this.cursor = cursor;
        if (gap)
            this.tell('gap', gap);
        if (fresh)
            this.#joined(this.#asked, cursor);
        events.forEach((event) => this.tell('event', { event, cursor: event.id }));
        this.tell('polled', cursor);
        if (fresh)
            this.#status('live');
    }

    // Cut while it waited: shorter ones may live. Else polls do no better than streams.
    #unpolled(error, wait, lived) {
        this.#why = plain(error);
        if (error.status)
            return this.#refusal(error);
        if (lived > 1000 && wait > WAITS[0]) {
            this.#wait = Math.max(WAITS[0], wait >> 1);
            return 0;
        }
        return this.#rise() || backoff(this.#tries++);
    }

    /** A refusal that passes is waited for; one of a channel is the channel's; any other ends it all. */
    #refusal(error) {
        if (error.passes)
            return Math.max(error.after, backoff(this.#tries++));
        if (this.#refuse(error))
            return 0;
        this.#refused = plain(error);
        this.#status('refused');
        return 0;
    }

    #refuse(error, names = [nameOf(error)]) {
        const mine = names.filter((name) => this.#wanted.delete(name));
        mine.forEach((name) => this.tell('refused', { name, error: plain(error) }));
        return mine.length > 0;
    }

    /** What is wanted now, and was not, is joined on the stream that is open; what is not, is left. */
    async #change() {
        if (this.state !== 'live')
            return;
        const missing = [...this.#wanted.keys()].filter((name) => !this.joined.includes(name));
        const gone = this.#asked.filter((name) => !this.#wanted.has(name));
        const from = missing.map((name) => this.#wanted.get(name).from).find(Boolean);
        const polls = this.transport === 'poll';
        if (from || (polls ? missing.length : this.#watches() && !this.#watching)) {
            // One that had it already goes on where it was; who is further drops what is heard again.
            if (from && position(from) < position(this.cursor))
                this.cursor = from;
            this.#restart();
            return;
        }
        if (gone.length) {
            this.#asked = this.#asked.filter((name) => !gone.includes(name));
            this.joined = this.joined.filter((name) => !gone.includes(name));
            await this.#tell('/unsubscribe', gone);
        }
        if (missing.length)
            await this.#join(missing);
    }

    async #join(channels) {
        try {
            const said = await this.#tell('/subscribe', channels, { since: NEVER });
            this.#asked.push(...channels);
            this.#joined(said.channels, said.cursor);
        } catch (error) {
            // 404: the stream is not known any more, so the next one asks for all of them.
            if (!error.status || error.passes || error.status === 404)
                throw error;
            if (this.#refuse(error))
                await this.#change();
            else
                this.#refuse(error, channels);
        }
    }

    async #tell(path, channels, begin) {
        return this.http.post(path, { clientId: this.clientId, channels, ...begin });
    }

    async #refresh() {
        await this.http.token.get(true);
        await this.http.ask('/refresh', { body: JSON.stringify({ clientId: this.clientId }) });
    }
}
