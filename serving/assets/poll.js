// A client of the long-polling method: a request is held until there is something to answer, then the next
// one is sent. The cursor goes with every request, so that what arrives between two polls is not lost.
//
// `url` is the service's base, `topic` one topic or several, `since` where to begin (default: now).
// `onState(state, detail)`: "connecting", "open", "waiting" (detail: `until`, in ms of Date.now, `cut`, whether
// a working connection was lost, and the server's `message`, if it gave one), "closed".
// `onTraffic` gets the `requests` and `bytes` of each step.

const LONGEST_PAUSE = 30; // seconds
const LONGEST_HOLD = 65_000; // ms: more than any server may hold, so the connection must be dead

const utf8 = new TextEncoder();

export function connect({ url, topic = [], since = "now", onState, onMessage, onGap, onTraffic = () => {} }) {
  let cursor = since;
  let failures = 0;
  let live = false;
  let closed = false;
  let request;
  let timer;

  async function poll() {
    if (!live) onState("connecting");
    const asked = performance.now();
    const answer = await ask().catch(() => null);
    if (closed) return;
    if (!answer?.page) return retry(answer ?? {});

    const { page } = answer;
    failures = 0;
    cursor = page.cursor;
    if (!live) onState("open");
    const first = !live;
    live = true;
    if (page.gap) onGap(page.gap);
    for (const message of page.messages) onMessage(message);
    if (closed) return;

    // A server that is about to stop answers early with nothing; asking again at once would only add to its load.
    const early = !first && page.messages.length === 0 && performance.now() - asked < 1000;
    timer = setTimeout(poll, early ? 1000 + 1000 * Math.random() : 0);
  }

  async function ask() {
    const address = new URL("poll", url);
    for (const name of [topic].flat()) address.searchParams.append("topic", name);
    address.searchParams.set("since", cursor);
    // The first answer is wanted at once: it says that the service is there, and what `now` is.
    if (!live) address.searchParams.set("wait", "0");

    request = new AbortController();
    const deadline = setTimeout(() => request.abort(), LONGEST_HOLD);
    onTraffic({ requests: 1, bytes: 0 });
    try {
      const response = await fetch(address, { signal: request.signal, cache: "no-store" });
      const body = await response.text();
      onTraffic({ requests: 0, bytes: answerSize(response, body) });
      if (response.ok) return { page: JSON.parse(body) };
      return { retryAfter: Number(response.headers.get("Retry-After")) || 0, message: reason(body) };
    } finally {
      clearTimeout(deadline);
    }
  }

  function retry({ retryAfter = 0, message }) {
    const pause = 1000 * Math.max(retryAfter, Math.min(LONGEST_PAUSE, 2 ** failures)) * (1 + Math.random() / 2);
    const cut = live;
    failures += 1;
    live = false;
    timer = setTimeout(poll, pause);
    onState("waiting", { until: Date.now() + pause, cut, message });
  }

  function close() {
    closed = true;
    clearTimeout(timer);
    request.abort();
    onState("closed");
  }

  poll();
  return {
    close,
    get cursor() {
      return cursor;
    },
  };
}

/** The bytes of an answer as HTTP/1.1 spells it: status line, the headers a script may see, body. */
function answerSize(response, body) {
  let head = `HTTP/1.1 ${response.status} ${response.statusText}\r\n`;
  for (const [name, value] of response.headers) head += `${name}: ${value}\r\n`;
  return utf8.encode(`${head}\r\n${body}`).length;
}

/** The message of an error for a person; nothing if it was not the service that answered. */
function reason(body) {
  try {
    return JSON.parse(body).message;
  } catch {
    return undefined;
  }
}
