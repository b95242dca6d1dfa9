import { PushError } from "./errors.js";
import { covers } from "./progress.js";

/** The milliseconds without a word after which a leader counts as frozen. An announced pause does not count. */
const SILENCE = 60_000;

// A channel by itself leaves out the code and the status of an error.
const pack = (key, value) => (value instanceof Error ? { ...value, message: value.message } : value);
const unpack = (key, value) =>
  key === "error" && value ? new PushError(value.code, value.message, value.status, value.retryAfter) : value;

/**
 * The tabs of an origin that follow the same. The one that holds a lock leads: it keeps its connection, and sends the others what comes.
 * Each of them has a connection of its own until its position is that of the leader, and whenever it has missed something.
 */
export class Tabs {
  isLeader = false;
  #name;
  #listener;
  #channel;
  #left;
  #timer;
  #news;

  constructor(name, listener) {
    this.#name = name;
    this.#listener = listener;
  }

  /** Begins to listen to the leader, and leads once no other tab does. */
  join() {
    const left = (this.#left = new AbortController());
    this.#channel = new BroadcastChannel(this.#name);
    this.#channel.onmessage = ({ data }) => this.#receive(JSON.parse(data, unpack));
    const lead = () =>
      new Promise((release) => {
        left.signal.addEventListener("abort", release);
        if (left.signal.aborted) return release();
        this.isLeader = true;
        this.#connect();
      });
    navigator.locks.request(this.#name, { signal: left.signal }, lead).catch(() => {});
    this.tell({ asks: true });
  }

  leave() {
    this.isLeader = false;
    this.#forget();
    this.#left?.abort();
    this.#channel?.close();
    this.#channel = undefined;
  }

  /** Sends news to the other tabs. It has `from` and `cursor`, the positions before and after it, and `state`. */
  tell(news) {
    this.#channel?.postMessage(JSON.stringify(news, pack));
  }

  /** The state of the leader, if a tab at this cursor needs no connection of its own. */
  stateAt(cursor) {
    return this.#news && covers(cursor, this.#news.cursor) ? this.#news.state : undefined;
  }

  #receive(news) {
    if (this.isLeader) {
      if (news.asks) this.#listener.asked();
    } else if (!news.asks) {
      this.#forget();
      this.#timer = setTimeout(() => this.#connect(), SILENCE + (news.state[1]?.until - Date.now() || 0));
      this.#news = news;
      this.#listener.news(news);
    }
  }

  /** There is no leader to hear of. */
  #connect() {
    this.#forget();
    this.#listener.connect();
  }

  #forget() {
    clearTimeout(this.#timer);
    this.#news = undefined;
  }
}
