import { backoff } from "./backoff.js";
import { Link } from "./link.js";
import { epochOf } from "./progress.js";

/** The milliseconds for the first event of a stream. They double with each round in which no method got through, three times. */
const FIRST_EVENT = 3000;
/** The milliseconds until a better method is tried again. */
const BETTER_AFTER = 60_000;
/** The milliseconds after which a connection counts as a good one, whether or not it has brought anything new. */
const SETTLED = 5000;

/**
 * Follows by the first method that gets through, and by a better one once that does. It reports to its listener `state`, `position`
 * (without one for a sign of life), and `refused` if no service takes the client; and `message` and `gap`, which return true if they were
 * new to the client.
 */
export class Connection {
  #services;
  #topics;
  #request;
  #progress;
  #listener;
  #round = [];
  #link;
  #better;
  #timer;
  #betterTimer;
  #failures = 0;
  #liveSince;
  #error;
  /** The end of the longest `Retry-After` since a connection was live, as a time in milliseconds. */
  #notBefore = 0;

  /** `services`: `{ method, url }`, the best first. `request`: `credentials` and `onTrace`. */
  constructor(services, topics, request, progress, listener) {
    this.#services = services.map((service, rank) => ({ ...service, rank, isBlocked: false }));
    this.#topics = topics;
    this.#request = request;
    this.#progress = progress;
    this.#listener = listener;
  }

  get isRunning() {
    return Boolean(this.#link || this.#timer);
  }

  start() {
    if (!this.isRunning) this.#startRound();
  }

  stop() {
    clearTimeout(this.#timer);
    this.#stopBetter();
    this.#link?.close();
    this.#timer = this.#link = undefined;
    // It may be long until it starts again.
    this.#request.credentials.isNew = false;
  }

  /**
   * Tries at once what waits, but not before the time that a service has asked for, and finds out whether the service is still there.
   * `elsewhere`: the network may be another one.
   */
  wake(elsewhere) {
    if (elsewhere) {
      this.#failures = this.#notBefore = 0;
      for (const service of this.#services) service.isBlocked = false;
      this.#tryBetter();
    }
    this.#link?.check();
    if (this.#timer && Date.now() >= this.#notBefore) this.#startRound();
  }

  /** Begins to try each service once: those that were held back last time come last. */
  #startRound() {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#round = this.#services.filter(({ refusal }) => !refusal).sort((one, other) => one.isBlocked - other.isBlocked);
    this.#tryNext();
  }

  #tryNext() {
    const service = this.#round.shift();
    if (!service) return this.#pause(false);
    this.#link = this.#open(service);
    this.#listener.state("connecting", { method: service.method });
  }

  #open(service) {
    const query = { topic: this.#topics, since: this.#progress.resume(service.epoch) };
    return new Link(service, { ...this.#request, query }, FIRST_EVENT * 2 ** Math.min(this.#failures, 3), this);
  }

  #pause(cut) {
    if (this.#services.every(({ refusal }) => refusal)) return this.#listener.refused(this.#services[0].refusal);
    const until = this.#notBefore + backoff(this.#failures++);
    this.#request.credentials.isNew = false;
    this.#timer = setTimeout(() => this.#startRound(), until - Date.now());
    this.#listener.state("waiting", { until, cut, error: this.#error });
  }

  /** Tries what is better than the method that works, one after the other and beside it, and all of them again later. */
  #tryBetter(rank = 0) {
    if (this.#better || !this.#link?.isLive) return;
    const service = this.#services.slice(rank, this.#link.service.rank).find(({ refusal }) => !refusal);
    if (service) this.#better = this.#open(service);
    else this.#planBetter();
  }

  #planBetter() {
    clearTimeout(this.#betterTimer);
    this.#betterTimer = setTimeout(() => this.#tryBetter(), BETTER_AFTER);
  }

  #stopBetter() {
    clearTimeout(this.#betterTimer);
    this.#better?.close();
    this.#better = undefined;
  }

  // Reports of a link:

  live(link) {
    if (link === this.#better) {
      this.#link.close();
      this.#link = link;
      this.#better = undefined;
    }
    this.#liveSince = Date.now();
    this.#error = undefined;
    this.#notBefore = 0;
    link.service.isBlocked = false;
    this.#planBetter();
    this.#listener.state("open", { method: link.service.method });
  }

  message(link, message) {
    if (this.#listener.message(message)) this.#failures = 0;
  }

  gap(link, gap) {
    link.service.epoch = epochOf(gap.cursor);
    if (this.#listener.gap(gap)) this.#failures = 0;
  }

  position(link, cursor) {
    if (cursor) link.service.epoch = epochOf(cursor);
    this.#listener.position(cursor);
  }

  end(link, reason, error) {
    const { service } = link;
    if (reason === "refused") service.refusal = error;
    if (reason === "blocked") service.isBlocked = true;
    if (link === this.#better) {
      this.#better = undefined;
      return this.#tryBetter(reason === "tokenless" ? Infinity : service.rank + 1);
    }
    if (reason === "tokenless") this.#round = [];
    this.#stopBetter();
    this.#link = undefined;
    this.#error = error;
    this.#notBefore = Math.max(this.#notBefore, Date.now() + 1000 * (error?.retryAfter || 0));
    const isSettled = link.isLive && Date.now() - this.#liveSince > SETTLED;
    if (isSettled) this.#failures = 0;
    if (reason === "expired" && (isSettled || !link.isLive)) this.#round.unshift(service);
    else if (link.isLive) return this.#pause(true);
    this.#tryNext();
  }
}
