import { Connection } from "./connection.js";
import { Credentials } from "./credentials.js";
import { route } from "./http.js";
import { watchPage } from "./page.js";
import { Progress, covers, epochOf } from "./progress.js";
import { Tabs } from "./tabs.js";

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
  #tabs;
  #unwatch;
  #shown = [];
  #isClosed = false;

  constructor(options) {
    const { since, topics = [], token, share = true, onTrace } = options;
    // The best first.
    const services = ["ws", "sse", "poll"].filter((method) => options[method]).map((method) => ({ method, url: options[method] }));
    if (services.length === 0) throw new TypeError("subscribe: no URL for `ws`, `sse` or `poll`");
    // A URL that is none throws here, and not later and again and again.
    const urls = services.map(({ url }) => route(url, "").href);

    const topic = [topics].flat();
    this.#options = options;
    this.#progress = new Progress(since);
    this.#connection = new Connection(services, topic, { credentials: new Credentials(token), onTrace }, this.#progress, this);
    if (share && navigator.locks) this.#tabs = new Tabs(JSON.stringify(["push", share, urls, topic]), this);
    this.#unwatch = watchPage({
      wake: (elsewhere) => this.#wake(elsewhere),
      leave: () => this.#stop(),
      comeBack: () => this.#start(),
    });
    // Callbacks come after the caller has the subscription.
    queueMicrotask(() => this.#isClosed || this.#start());
  }

  get cursor() {
    const { cursor } = this.#progress;
    return epochOf(cursor) && cursor;
  }

  close() {
    this.#end("closed", {});
  }

  #start() {
    this.#connection.start();
    this.#tabs?.join();
  }

  #stop() {
    this.#connection.stop();
    this.#tabs?.leave();
  }

  #end(state, detail) {
    if (this.#isClosed) return;
    this.#stop();
    this.#unwatch();
    this.#isClosed = true;
    this.#call("onState", state, detail);
  }

  #wake(elsewhere) {
    this.#connection.wake(elsewhere);
    this.#tabs?.tell({ asks: true });
  }

  // Reports of the connection:

  state(state, detail) {
    this.#show(state, detail);
    this.#tell({ from: this.cursor });
  }

  message(message) {
    const from = this.cursor;
    if (!this.#progress.advance(message.id)) return false;
    this.#call("onMessage", message);
    this.#tell({ from, message });
    return true;
  }

  gap(gap) {
    const from = this.cursor;
    if (!this.#progress.skip(gap)) return false;
    this.#call("onGap", gap);
    this.#tell({ from, gap });
    return true;
  }

  /** A position or, without one, a sign of life. */
  position(cursor) {
    const from = this.cursor;
    if (cursor) this.#progress.advance(cursor);
    this.#tell({ from });
  }

  refused(error) {
    this.#end("refused", { error });
  }

  // Reports of other tabs:

  /** No other tab leads, or this one has missed something. */
  connect() {
    this.#connection.start();
  }

  asked() {
    this.#connection.wake(false);
    this.#tell({ from: this.cursor });
  }

  news({ from, cursor, message, gap, state }) {
    if (!covers(this.cursor, from)) return this.#connection.start();
    if (this.#connection.isRunning && state[0] !== "open") return;
    this.#connection.stop();
    this.#show(...state);
    if (this.#isClosed) return;
    if (message) this.message(message);
    else if (gap) this.gap(gap);
    else this.position(cursor);
  }

  /** Reports to the other tabs if this one leads. If it does not, its connection ends where the leader's is as far. */
  #tell(news) {
    if (this.#tabs?.isLeader) return this.#tabs.tell({ ...news, cursor: this.cursor, state: this.#shown });
    const state = this.#connection.isRunning && this.#tabs?.stateAt(this.cursor);
    if (state?.[0] !== "open") return;
    this.#connection.stop();
    this.#show(...state);
  }

  #show(state, detail) {
    const [shown, { method } = {}] = this.#shown;
    this.#shown = [state, detail];
    if (state !== "open" || shown !== state || method !== detail.method) this.#call("onState", state, detail);
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
