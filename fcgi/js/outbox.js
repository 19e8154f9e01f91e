// outbox -- what is to be published, one after the other, until the log has it.

import { randomName } from './base.js';
import { passes } from './http.js';

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
    async put(send) {
        if (this.#waiting >= this.limit)
            throw new Error(`${this.limit} sends wait already (option queue): wait for what send() returns`);
        const body = JSON.stringify({ ...send, idempotencyKey: send.idempotencyKey ?? randomName() });
        this.#waiting += 1;
        const sent = this.#last.then(() => this.#send(body)).finally(() => { this.#waiting -= 1; });
        this.#last = sent.catch(() => {});
        return sent;
    }

    async #send(body) {
        try {
            return (await this.http.insist('/send', body, Date.now() + KEY_HOLDS)).id;
        } catch (error) {
            if (passes(error))
                error.outcome = 'unknown';          // it may be in the log or not
            throw error;
        }
    }
}
