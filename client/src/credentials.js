/** The token of a client: a text, a function that returns one (or a promise of one), or nothing where a cookie does. */
export class Credentials {
  #source;
  #asked;

  constructor(source) {
    this.#source = source;
  }

  /** Returns the token, and whether it is as new as it can be. A function is asked once, until its token is discarded. */
  async get() {
    const source = this.#source;
    if (typeof source !== "function") return { token: source, isNew: true };
    if (this.#asked) return { token: await this.#asked, isNew: false };
    const asked = Promise.resolve().then(() => source());
    this.#asked = asked;
    try {
      return { token: await asked, isNew: true };
    } catch (error) {
      this.discard(asked);
      throw error;
    }
  }

  /** Has the next `get` ask for another token. */
  discard(asked = this.#asked) {
    if (this.#asked === asked) this.#asked = undefined;
  }
}
