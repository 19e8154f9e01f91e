// http -- requests to the worker, and what its refusals mean.

import { backoff } from './base.js';

const HINTS = {
    401: 'log in, or give a fresh token',
    403: 'grant it in the token, or open the channel in belfry.conf',
    404: 'is the address right?',
    413: 'send less at once',
};

/** An error with what the server said and what to do about it. */
export function refusal(status, said, after) {
    const code = said.type?.split('#')[1];
    const words = [`${status} ${code ?? 'refused'}`, said.detail, HINTS[status]];
    return Object.assign(new Error(words.filter(Boolean).join(': ')), {
        name: 'BelfryError', status, code, detail: said.detail, after: 1000 * after || 0,
    });
}

/** Later it may go well. */
export const passes = ({ status }) => !status || status >= 500 || status === 429 || status === 408;

export class Http {
    #token = null;                  // a promise

    constructor(url, options, naps) {
        this.url = url.replace(/\/$/, '');
        this.options = options;
        this.naps = naps;
        this.patience = options.patience ?? 5000;
    }

    /** `fresh`: what there is was refused, or soon will be. */
    async token(fresh) {
        const { token } = this.options;
        if (typeof token !== 'function')
            return token;
        try {
            return await (this.#token = (!fresh && this.#token) || token());
        } catch (error) {
            this.#token = null;
            throw error;
        }
    }

    /** The answer; throws a refusal, or what fetch throws where there is no answer. */
    async ask(path, body, signal = AbortSignal.timeout(4 * this.patience), fresh = false) {
        const token = await this.token(fresh);
        const headers = { Accept: 'text/event-stream, application/json' };
        if (token)
            headers.Authorization = `Bearer ${token}`;
        if (body)
            headers['Content-Type'] = 'application/json';
        const answer = await (this.options.fetch ?? fetch)(this.url + path, {
            method: body ? 'POST' : 'GET', headers, body, signal, cache: 'no-store',
            credentials: this.options.credentials ?? 'same-origin',
        });
        if (answer.ok)
            return answer;
        if (answer.status === 401 && this.#token && !fresh)
            return this.ask(path, body, signal, true);
        throw refusal(answer.status, await answer.json().catch(() => ({})), answer.headers.get('Retry-After'));
    }

    async json(path, body) {
        return (await this.ask(path, body)).json();
    }

    /** Asks until there is an answer that stays; `until`: when to give up. */
    async insist(path, body, until = Infinity) {
        for (let tries = 0; ; tries += 1) {
            try {
                return await this.json(path, body);
            } catch (error) {
                if (this.closed || !passes(error))
                    throw error;
                await this.naps.sleep(Math.max(error.after ?? 0, backoff(tries)));
                // A pause may be as long as a lid is closed.
                if (Date.now() > until)
                    throw error;
            }
        }
    }
}
