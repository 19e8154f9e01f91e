// token -- asked for once, and again shortly before it ends.

const AHEAD = 10000;

/** When a JSON Web Token ends; others are taken to last until they are refused. */
function end(token) {
    try {
        return JSON.parse(atob(token.split('.')[1].replace(/-/g, '+').replace(/_/g, '/'))).exp * 1000;
    } catch {
        return Infinity;
    }
}

export class Token {
    #asked = null;
    #ends = 0;

    constructor(given) {
        this.given = given;
    }

    /** The token, undefined where none was given; `fresh`: what there is was refused, or soon will be. */
    async get(fresh) {
        if (typeof this.given !== 'function')
            return this.given;
        if (fresh || !this.#asked || this.#ends < Date.now() + AHEAD) {
            this.#ends = Infinity;
            this.#asked = this.#ask();
        }
        return this.#asked;
    }

    async #ask() {
        try {
            const token = await this.given();
            this.#ends = end(token);
            return token;
        } catch (error) {
            this.#asked = null;
            throw error;
        }
    }
}
