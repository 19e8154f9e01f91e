// outbox -- what is to be published, one after the other, until the log has it.

import { randomName } from './base.js';

// The server knows a key for ten minutes: beyond that another try might be a second event.
const KEY_HOLDS = 9 * 60000;

export class Outbox {
    #waiting = 0;
    #last = Promise.resolve();

    constructor(http, limit) {
        this.http = http;
        this.limit = limit;
    }

    /** Resolves with the id when the event is on the server's disk. */
    put(send) {
        if (this.#waiting >= this.limit)
            return Promise.reject(new Error(`${this.limit} sends wait already (option queue): wait for what send() returns`));
        const body = JSON.stringify({ idempotencyKey: randomName(), ...send });
        this.#waiting += 1;
        const sent = this.#last.then(() => this.#send(body)).finally(() => { this.#waiting -= 1; });
        this.#last = sent.catch(() => {});
        return sent;
    }

    async #send(body) {
        const began = Date.now();
        if (this.http.closed)
            throw new Error('closed before it was sent');
        try {
            return (await this.http.insist('/send', body, () => began + KEY_HOLDS)).id;
        } catch (error) {
            if (!error.status || error.passes)
                error.outcome = 'unknown';          // it may be in the log or not
            throw error;
        }
    }
}
