/** The token of a client: a text, a function that returns one (or a promise of one), or nothing where a cookie does. */
export class Credentials {
  #source;
  #asked;

  constructor(source) {
    this.#source = typeof source === "function" ? source : () => source;
  }

  /** Returns the token, and whether it was asked for just now. It is kept until it is discarded. */
  async get() {
    const isNew = !this.#asked;
    this.#asked ??= Promise.resolve().then(this.#source);
    try {
      return { token: await this.#asked, isNew };
    } catch (error) {
      this.discard();
      throw error;
    }
  }

  /** Has the next `get` ask for another token. */
  discard() {
    this.#asked = undefined;
  }
}
