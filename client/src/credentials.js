/** The token of a client: a text, a function that returns one (or a promise of one), or nothing where a cookie does. */
export class Credentials {
  #source;
  #asked;

  /** Returns true if a refusal is final: no service has accepted this token, and no pause has passed in which it may have ended. */
  isNew = true;

  constructor(source) {
    this.#source = typeof source === "function" ? source : () => source;
  }

  /** Returns the token. It is kept until it is discarded. */
  async get() {
    if (!this.#asked) this.isNew = true;
    this.#asked ??= Promise.resolve().then(this.#source);
    try {
      return await this.#asked;
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
