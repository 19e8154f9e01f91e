// emitter -- listeners by name.

export class Emitter {
    #heard = new Map();

    /** Calls `fn` at every `name`; returns a function that ends this. */
    on(name, fn) {
        if (!this.#heard.has(name))
            this.#heard.set(name, new Set());
        this.#heard.get(name).add(fn);
        return () => this.off(name, fn);
    }

    off(name, fn) {
        this.#heard.get(name)?.delete(fn);
    }

    // What a listener throws is its own affair: the next one hears it all the same.
    emit(name, ...said) {
        const heard = [...this.#heard.get(name) ?? []];
        if (name === 'error' && !heard.length)
            console.error(...said);
        for (const fn of heard) {
            try {
                fn(...said);
            } catch (error) {
                console.error(error);
            }
        }
    }
}
