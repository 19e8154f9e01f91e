// emitter -- listeners by name; and of events, which are new to it.

import { position } from './base.js';

export class Emitter {
    #heard = {};                    // name -> listeners
    #after = 0;                     // the position of the last event

    /** Calls `fn` at every `name`; returns a function that ends this. */
    on(name, fn) {
        (this.#heard[name] ??= new Set()).add(fn);
        return () => this.off(name, fn);
    }

    off(name, fn) {
        this.#heard[name]?.delete(fn);
    }

    // What a listener throws is its own affair: the next one hears it all the same.
    emit(name, ...said) {
        const heard = [...this.#heard[name] ?? []];
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

    /** Whether there was no such event yet, nor one after it. */
    isNew({ id }) {
        if (position(id) <= this.#after)
            return false;
        if (id)
            this.begin(id);
        return true;
    }

    /** Events after `id` are new; null: all. */
    begin(id) {
        this.#after = id ? position(id) : 0;
    }
}
