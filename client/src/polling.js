import { ANSWER_WITHIN, ask, route } from "./http.js";

/** The seconds for which the service holds a request that it has no message for. */
const HOLD = 20;

/** Follows by long polling (`/poll`). Returns the function that closes it. */
export function followByPolling(service, { query, token, onTrace }, link) {
  const aborted = new AbortController();
  let cursor = query.since ?? "now";
  let timer;

  async function poll(wait) {
    const asked = Date.now();
    const address = route(service.url, "poll", { ...query, since: cursor, wait });
    onTrace?.("request", address.href);
    const within = wait * 1000 + ANSWER_WITHIN;
    // From here on, the answer is due.
    link.heard();
    const page = await ask(address, { token, within, signal: aborted.signal, onTrace });
    cursor = page.cursor;
    // The first answer comes at once: it says that the service is there, and the position that `now` is.
    if (!page.gap && page.messages.length === 0) link.tell("position", page.cursor);
    if (wait === 0) {
      link.live();
      link.silentAfter(HOLD * 1000 + ANSWER_WITHIN);
    }
    if (page.gap) link.tell("gap", page.gap);
    for (const message of page.messages) link.tell("message", message);
    link.tell("position", page.cursor);
    if (aborted.signal.aborted) return;
    // A service that is about to stop answers early with nothing. To ask again at once would only add to its load.
    const isEarly = wait > 0 && page.messages.length === 0 && Date.now() - asked < 1000;
    timer = setTimeout(() => next(HOLD), isEarly ? 500 + Math.random() * 1000 : 0);
  }

  const next = (wait) => poll(wait).catch((error) => link.end(error));

  next(0);

  return () => {
    clearTimeout(timer);
    aborted.abort();
  };
}
