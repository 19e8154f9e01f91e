// tabs -- of all tabs of a browser one leads: it has the stream, and tells the others what it hears. Who
// leads has a lock, which the browser gives to the next one when the tab is gone; a tab that hangs is robbed of it.

import { randomName } from './base.js';

const QUIET = [3, 5];               // beats of silence: who leads is asked for a word, and robbed

export class Tabs {
    id = randomName();
    leads = false;
    #bus = null;
    #close = new AbortController();
    #signal = this.#close.signal;
    #gone = new Promise((done) => { this.#signal.onabort = done; });
    #silence = 0;                   // of who leads
    #beats;

    /** `key`: tabs that share one stream have the same; null: share nothing. `beat`: milliseconds.
     * `does`: what is to be done: lead, lost (another one leads now), greet, and hear for what others say. */
    constructor(key, beat, does) {
        const { navigator, document, BroadcastChannel } = globalThis;
        Object.assign(this, { key, does, locks: navigator?.locks });
        if (!key || !document || !this.locks || !BroadcastChannel) {
            Promise.resolve().then(() => this.#signal.aborted || does.lead());
            return;
        }
        this.#bus = new BroadcastChannel(key);
        this.#bus.onmessage = ({ data }) => {
            if (data.leads)
                this.#silence = 0;
            does.hear(data);
        };
        // Held as long as this tab lives: whoever gets it knows that the tab is gone.
        this.#hold(this.id, { signal: this.#signal }, does.greet).catch(() => {});
        this.#lead();
        this.#beats = setInterval(() => this.#beat(), beat);
    }

    #hold(name, how, held) {
        return this.locks.request(`${this.key} ${name}`, how, () => {
            held();
            return this.#gone;
        });
    }

    // Until it is closed or robbed, and then again when it is its turn; alone where locks are forbidden.
    async #lead(how = { signal: this.#signal }) {
        try {
            await this.#hold('', how, () => {
                this.leads = true;
                this.does.lead();
            });
        } catch {
            if (this.#signal.aborted)
                return;
            if (!this.leads) {
                this.does.lead();
                return;
            }
            this.leads = false;
            this.does.lost();
            this.#lead();
        }
    }

    #beat() {
        this.#silence = this.leads ? 0 : this.#silence + 1;
        if (this.#silence === QUIET[0])
            this.say('ping');
        else if (this.#silence === QUIET[1])
            this.#lead({ steal: true });
    }

    say(kind, what) {
        this.#bus?.postMessage({ kind, what, tab: this.id, leads: this.leads });
    }

    whenGone(tab, fn) {
        this.locks.request(`${this.key} ${tab}`, { signal: this.#signal }, fn).catch(() => {});
    }

    close() {
        clearInterval(this.#beats);
        this.#close.abort();
        this.#bus?.close();
        this.#bus = null;
    }
}
