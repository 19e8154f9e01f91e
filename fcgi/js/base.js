// base -- words without a subject: names, positions, pauses.

// Node 18 has no `crypto` of its own: README.md.
const bytes = (count) => globalThis.crypto?.getRandomValues(new Uint8Array(count))
    ?? Uint8Array.from({ length: count }, () => Math.random() * 256);

/** A random name that nobody guesses: over 120 bits. */
export const randomName = () => [...bytes(24)].map((byte) => (byte % 36).toString(36)).join('');

/** Where an id stands in the one order of the log; what has none is always new. */
export const position = (id) => (id ? Number(id.slice(id.lastIndexOf('-') + 1)) : Infinity);

/** A pause that grows with every try, never the same twice, so that crowds don't come back at once. */
export const backoff = (tries, first = 1000) =>
    Math.min(30000, first * 2 ** Math.min(tries, 10)) * (0.5 + Math.random() / 2);

/** Whether a channel takes in what comes on `channel`: a pattern ends in `*`, and takes in what begins
 * with `user:` or `$` only if it begins so itself. */
export function takesIn(name, channel) {
    if (!name.endsWith('*'))
        return name === channel;
    const start = name.slice(0, -1);
    return channel.startsWith(start) && (!/^(user:|\$)/.test(channel) || /^(user:|\$)/.test(start));
}

/** Pauses that end early when there is reason to hope: the network is back, the page is seen. */
export class Naps {
    #sleepers = new Set();

    sleep(ms) {
        return new Promise((done) => {
            const wake = () => {
                clearTimeout(timer);
                this.#sleepers.delete(wake);
                done();
            };
            const timer = setTimeout(wake, ms);
            this.#sleepers.add(wake);
        });
    }

    wake() {
        this.#sleepers.forEach((wake) => wake());
    }
}
