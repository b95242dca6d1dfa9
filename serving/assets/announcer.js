/** The milliseconds in which news is collected before it is read out. */
const COLLECT = 300;
/** The milliseconds between two announcements: time to read one out. */
const PAUSE = 5000;

/**
 * Has a screen reader read out what is new, at most every five seconds.
 *
 * The lists of messages are logs whose live region is off. A live one would have every message of a burst read out, on /compare three
 * times, each with its times and its id, and nothing else could be heard any more. What is read out instead is the number of new messages
 * with the text of the latest, and the lists are there to be read at leisure.
 */
export class Announcer {
  #region;
  #compose;
  #timer;
  #hasNews = false;

  /** `compose` returns the text for all that is new since its last call. */
  constructor(region, compose) {
    this.#region = region;
    this.#compose = compose;
  }

  news() {
    this.#hasNews = true;
    this.#timer ??= setTimeout(() => this.#announce(), COLLECT);
  }

  #announce() {
    this.#timer = undefined;
    if (!this.#hasNews) return;
    this.#hasNews = false;
    // The same text twice has to be read out twice.
    this.#region.textContent = "";
    setTimeout(() => (this.#region.textContent = this.#compose()), 100);
    this.#timer = setTimeout(() => this.#announce(), PAUSE);
  }
}
