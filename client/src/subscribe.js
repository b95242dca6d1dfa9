import { Connection } from "./connection.js";
import { Credentials } from "./credentials.js";
import { route } from "./http.js";
import { watchPage } from "./page.js";
import { Progress, epochOf } from "./progress.js";

/** The methods, the best first. */
const METHODS = ["ws", "sse", "poll"];

/** Follows topics. The types and their documentation are in push.d.ts. */
export function subscribe(options) {
  const subscription = new Subscription(options);
  return {
    get cursor() {
      return subscription.cursor;
    },
    close: () => subscription.close(),
  };
}

class Subscription {
  #options;
  #progress;
  #connection;
  #unwatch;
  #isClosed = false;

  constructor(options) {
    const services = METHODS.filter((method) => options[method]).map((method) => ({ method, url: options[method] }));
    if (services.length === 0) throw new TypeError("subscribe: name the URL of a service as `ws`, `sse` or `poll`");
    // A URL that is none throws here, and not later and again and again.
    for (const { url } of services) route(url, "", {});

    const { since, topics = [], token, onTrace } = options;
    this.#options = options;
    this.#progress = new Progress(since);
    const request = { credentials: new Credentials(token), onTrace };
    this.#connection = new Connection(services, [topics].flat(), request, this.#progress, this);
    this.#unwatch = watchPage({
      wake: (elsewhere) => this.#connection.wake(elsewhere),
      leave: () => this.#connection.stop(),
      comeBack: () => this.#connection.start(),
    });
    // Callbacks come after the caller has the subscription.
    queueMicrotask(() => this.#isClosed || this.#connection.start());
  }

  get cursor() {
    const { cursor } = this.#progress;
    return epochOf(cursor) && cursor;
  }

  close() {
    this.#end("closed", {});
  }

  #end(state, detail) {
    if (this.#isClosed) return;
    this.#connection.stop();
    this.#unwatch();
    this.#isClosed = true;
    this.#call("onState", state, detail);
  }

  // What the connection tells:

  state(state, detail) {
    this.#call("onState", state, detail);
  }

  message(message) {
    if (!this.#progress.advance(message.id)) return false;
    this.#call("onMessage", message);
    return true;
  }

  gap(gap) {
    if (!this.#progress.skip(gap)) return false;
    this.#call("onGap", gap);
    return true;
  }

  position(cursor) {
    this.#progress.advance(cursor);
  }

  refused(error) {
    this.#end("refused", { error });
  }

  /** Calls a function of the caller. An error in it is the caller's, and must not keep the next message away. */
  #call(name, ...values) {
    try {
      this.#options[name]?.(...values);
    } catch (error) {
      reportError(error);
    }
  }
}
