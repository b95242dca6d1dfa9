import { isRefusal } from "./errors.js";
import { followByEventSource } from "./eventsource.js";
import { ask, route } from "./http.js";
import { followByPolling } from "./polling.js";
import { followByWebSocket } from "./websocket.js";

const FOLLOW = { ws: followByWebSocket, sse: followByEventSource, poll: followByPolling };

/** The number of heartbeats in which a service has to be heard. */
const BEATS = 2.5;

/**
 * One attempt to follow a service, from its request to its end. It reports to its listener `live` once the service has sent its first
 * event, then `message`, `gap` and `position`, and `end` at last with one of these reasons:
 *
 * - `cut`: it was live
 * - `expired`: its token has ended; another one may help
 * - `refused`: the service would refuse the same request again, by `error`
 * - `blocked`: the service answers, and this method does not get through to it; something in between holds it back
 * - `tokenless`: there is no token for any service, by `error`
 * - `failed`: anything else, by `error`
 */
export class Link {
  isLive = false;
  isEnded = false;
  #request;
  #listener;
  #close = () => {};
  #timer;
  #patience;
  #heardAt;

  /** `within`: the milliseconds for the first event of a stream. */
  constructor(service, request, within, listener) {
    this.service = service;
    this.#request = request;
    this.#listener = listener;
    const opened = request.credentials.get().then(
      (token) => this.#open(token, within),
      (error) => this.#end("tokenless", error),
    );
    opened.catch((error) => this.#end("failed", error));
  }

  #open(token, within) {
    if (this.isEnded) return;
    const { method } = this.service;
    // A page that was too busy for the first event receives it in the time of the second timer.
    const giveUp = () => (this.#timer = setTimeout(() => this.#end("blocked"), within / 10));
    if (method !== "poll") this.#timer = setTimeout(giveUp, within * 0.9);
    this.#request = { ...this.#request, token };
    this.#close = FOLLOW[method](this.service, this.#request, this);
  }

  // Reports of a method:

  /** `message`, `gap` or `position`. */
  tell(name, what) {
    if (!this.isEnded) this.#listener[name](this, what);
  }

  live() {
    if (this.isLive || this.isEnded) return;
    clearTimeout(this.#timer);
    this.isLive = true;
    this.#request.credentials.isNew = false;
    this.#listener.live(this);
  }

  /** The service is there. */
  heard() {
    this.#heardAt = Date.now();
  }

  /** The service is heard again within so many seconds, which it names once or at each heartbeat. */
  beats(period) {
    if (period > 0) this.silentAfter(BEATS * period * 1000);
  }

  /** A service that is not heard for so many milliseconds is gone. */
  silentAfter(patience) {
    if (this.#patience) return;
    this.#patience = patience;
    this.check();
  }

  /** Ends a link whose service is silent. Times are those of the clock, since timers stand still while a machine sleeps. */
  check() {
    if (!this.#patience || this.isEnded) return;
    const left = this.#heardAt + this.#patience - Date.now();
    clearTimeout(this.#timer);
    if (left <= 0) this.#end("cut");
    else this.#timer = setTimeout(() => this.check(), left);
  }

  /** The connection has ended. A browser does not tell scripts why a WebSocket or an EventSource was refused; a plain request does. */
  async end(error, reason = "cut") {
    if (this.isEnded) return;
    if (!this.isLive && !error) {
      clearTimeout(this.#timer);
      this.#close();
      const { query, token } = this.#request;
      // A plain request for what the link wanted.
      const address = route(this.service.url, "messages", { ...query, limit: 1 });
      try {
        await ask(address, { token });
        return this.#end("blocked");
      } catch (problem) {
        error = problem;
      }
    }
    if (error?.status === 401 && (this.isLive || !this.#request.credentials.isNew)) reason = "expired";
    else if (isRefusal(error)) reason = "refused";
    else if (!this.isLive) reason = "failed";
    this.#end(reason, error);
  }

  #end(reason, error) {
    if (this.isEnded) return;
    this.close();
    if (reason === "expired") this.#request.credentials.discard();
    this.#listener.end(this, reason, error);
  }

  /** Ends the link without a report. */
  close() {
    this.isEnded = true;
    clearTimeout(this.#timer);
    this.#close();
  }
}
