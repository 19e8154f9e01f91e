// tabs -- of all tabs of a browser one leads: it has the stream, and tells the others what it hears. Who
// leads has a lock, which the browser gives to the next one when the tab is gone.

import { randomName } from './base.js';

export class Tabs {
    id = randomName();
    #bus = null;
    #close = new AbortController();
    #gone = new Promise((done) => { this.#close.signal.addEventListener('abort', done); });

    /** `key`: tabs that share one stream have the same; null: share nothing. */
    constructor(key, { lead, greet, hear }) {
        const { navigator, document, BroadcastChannel } = globalThis;
        this.key = key;
        this.locks = navigator?.locks;
        if (!key || !document || !this.locks || !BroadcastChannel) {
            Promise.resolve().then(() => lead(this));
            return;
        }
        this.#bus = new BroadcastChannel(key);
        this.#bus.onmessage = ({ data }) => hear(data);
        // Held as long as this tab lives: whoever gets it knows that the tab is gone.
        this.#hold(this.#own(this.id), greet);
        this.#hold(key, lead);
    }

    #own(tab) {
        return `${this.key} ${tab}`;
    }

    #hold(name, held) {
        this.locks.request(name, { signal: this.#close.signal }, () => {
            held(this);
            return this.#gone;
        }).catch(() => {});
    }

    say(message) {
        this.#bus?.postMessage(message);
    }

    whenGone(tab, fn) {
        this.locks.request(this.#own(tab), { signal: this.#close.signal }, fn).catch(() => {});
    }

    close() {
        this.#close.abort();
        this.#bus?.close();
        this.#bus = null;
    }
}
