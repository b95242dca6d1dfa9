import { PushError } from "./errors.js";
import { ANSWER_WITHIN } from "./http.js";

/** Calls a function, whose promise fails unless it is kept in time. */
const inTime = (call) =>
  new Promise((resolve, reject) => {
    AbortSignal.timeout(ANSWER_WITHIN).onabort = () => reject(new PushError("no_token", "`token` takes too long"));
    Promise.resolve(call()).then(resolve, reject);
  });

/** The token of a client: a text, a function that returns one (or a promise of one), or nothing where a cookie does. */
export class Credentials {
  #source;
  #asked;

  /** True while a refusal is final: no service has accepted this token, and no pause has passed in which it may have ended. */
  isNew = true;

  constructor(source) {
    this.#source = typeof source === "function" ? () => inTime(source) : () => source;
  }

  /** Returns the token. It is kept until it is discarded. */
  async get() {
    if (!this.#asked) this.isNew = true;
    this.#asked ??= Promise.resolve().then(this.#source);
    try {
      // A text that was fetched may end with a line end.
      return (await this.#asked)?.trim();
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
