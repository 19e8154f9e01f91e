// base -- words without a subject: names, positions, pauses.

// Node 18 has no `crypto` of its own: README.md.
const random = () => globalThis.crypto?.getRandomValues(new Uint32Array(1))[0] ?? Math.random() * 2 ** 32;

/** A random name that nobody guesses: over 120 bits. */
export const randomName = () => Array.from({ length: 24 }, () => Math.floor(random() % 36).toString(36)).join('');

/** Where an id stands in the one order of the log; what has none is always new. */
export const position = (id) => (id ? Number(id.split('-').pop()) : Infinity);

/** A pause that grows with every try, never the same twice, so that crowds don't come back at once. */
export const backoff = (tries) => Math.min(30000, 1000 * 2 ** tries) * (0.5 + Math.random() / 2);

const OWN = /^(user:|\$)/;

/** Whether a channel takes in what comes on `channel`: a pattern ends in `*`, and takes in what begins
 * with `user:` or `$` only if it begins so itself. */
export const takesIn = (name, channel) => name === channel || (name.endsWith('*')
    && channel.startsWith(name.slice(0, -1)) && (!OWN.test(channel) || OWN.test(name)));

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
