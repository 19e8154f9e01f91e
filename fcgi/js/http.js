// http -- requests to the worker, and what its refusals mean.

import { backoff } from './base.js';

const HINTS = {
    401: 'log in again, or let the option token return a fresh one',
    403: 'grant it in the token, or open the channel in belfry.conf',
    404: 'is the address of Belfry right?',
    413: 'send less at once',
};
const ANSWER_WITHIN = 20000;

/** An error with what the server said and what to do about it. `passes`: later it may go well. */
export function refusal(status, said, after) {
    const code = said.type?.split('#')[1];
    const words = [`${status} ${code ?? said.title ?? 'refused'}`, said.detail, HINTS[status]];
    return Object.assign(new Error(words.filter(Boolean).join(': ')), {
        name: 'BelfryError', status, code, detail: said.detail, after: 1000 * after || 0,
        passes: status >= 500 || status === 429 || status === 408,
    });
}

export class Http {
    constructor(url, token, options, naps) {
        this.url = url.replace(/\/$/, '');
        this.token = token;
        this.naps = naps;
        this.credentials = options.credentials ?? 'same-origin';
        this.fetch = options.fetch ?? ((...args) => fetch(...args));
    }

    /** The answer; throws a refusal, or what fetch throws where there is no answer. */
    async ask(path, { body, signal = AbortSignal.timeout(ANSWER_WITHIN), accept = 'application/json', fresh } = {}) {
        const token = await this.token.get(fresh);
        const headers = { Accept: accept };
        if (token)
            headers.Authorization = `Bearer ${token}`;
        if (body)
            headers['Content-Type'] = 'application/json';
        const answer = await this.fetch(this.url + path, {
            method: body ? 'POST' : 'GET', headers, body, signal, credentials: this.credentials, cache: 'no-store',
        });
        if (answer.ok)
            return answer;
        if (answer.status === 401 && token && !fresh && typeof this.token.given === 'function')
            return this.ask(path, { body, signal, accept, fresh: true });
        throw refusal(answer.status, await answer.json().catch(() => ({})), answer.headers.get('Retry-After'));
    }

    async post(path, body) {
        return (await this.ask(path, { body: JSON.stringify(body) })).json();
    }

    /** Asks until there is an answer that stays; `until`: when to give up. */
    async insist(path, body, until) {
        for (let tries = 0; ; tries += 1) {
            try {
                return await (await this.ask(path, { body })).json();
            } catch (error) {
                if (this.closed || (error.status && !error.passes) || Date.now() > until())
                    throw error;
                await this.naps.sleep(Math.max(error.after ?? 0, backoff(tries)));
            }
        }
    }

    /** All that came on `channels` after an id, in order, and whether something is missing. */
    async since(after, channels) {
        const all = { events: [], gap: null };
        const query = new URLSearchParams({ channel: channels.join(','), limit: 1000 });
        for (let page = { cursor: after, next: true }; page.next;) {
            query.set('after', page.cursor);
            page = await this.insist(`/history?${query}`, undefined, () => Infinity);
            all.events.push(...page.events);
            all.gap ??= page.gap;
        }
        return all;
    }
}
