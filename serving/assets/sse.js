// A client of the Server-Sent Events method: EventSource reads `/events` and, after a cut, comes back by
// itself with the last id that it received. This adds what EventSource leaves to its user: a known beginning, and a
// new attempt when it has given up.
//
// `url` is the service's base, `topic` one topic or several, `since` where to begin (default: now), `events`
// the names to listen for beside unnamed messages: EventSource passes on no name it was not asked for.
// `onState(state, detail)`: "connecting", "open", "waiting" (detail: `cut`, whether a working connection was
// lost, and `until`, in ms of Date.now, unless the browser keeps that to itself), "closed".
// `onTraffic` gets the `requests` and `bytes` of each step.

const LONGEST_PAUSE = 30; // seconds

const utf8 = new TextEncoder();

export function connect({ url, topic = [], since, events = [], onState, onMessage, onGap, onTraffic = () => {} }) {
  let cursor = since;
  let failures = 0;
  let closed = false;
  let source;
  let timer;

  async function open() {
    onState("connecting");
    try {
      // The stream's first id reaches no script. Without one, a refused reconnect before the first
      // message would have to begin again from now, and lose what was published in between.
      cursor ??= await position(address("messages", { since: "now", limit: 1 }));
    } catch (error) {
      if (!closed) retry({ cut: false, retryAfter: error.retryAfter });
      return;
    }
    if (!closed) listen();
  }

  function listen() {
    let live = false;
    onTraffic({ requests: 1, bytes: 0 });
    source = new EventSource(address("events", { since: cursor }));

    source.addEventListener("open", (event) => {
      if (event instanceof MessageEvent) return; // A message may be named "open", or "error" below.
      live = true;
      failures = 0;
      onState("open");
    });

    source.addEventListener("error", (event) => {
      if (event instanceof MessageEvent) return;
      const cut = live;
      live = false;
      if (cut && source.readyState === EventSource.CONNECTING) {
        // The browser comes back by itself, after the time the server named in `retry`.
        onTraffic({ requests: 1, bytes: 0 });
        onState("waiting", { cut });
      } else {
        // Refused, or still away: from here on with a growing pause, which EventSource does not have.
        source.close();
        retry({ cut });
      }
    });

    source.addEventListener("gap", take);
    for (const name of new Set(["message", ...events])) {
      if (name !== "gap") source.addEventListener(name, take);
    }
  }

  function take(event) {
    if (!(event instanceof MessageEvent)) return;
    onTraffic({ requests: 0, bytes: eventSize(event) });
    cursor = event.lastEventId || cursor;
    const gap = event.type === "gap" && gapIn(event);
    if (gap) return onGap(gap);
    const message = { id: event.lastEventId, text: event.data };
    if (event.type !== "message") message.event = event.type;
    onMessage(message);
  }

  function retry({ cut, retryAfter = 0 }) {
    const pause = 1000 * Math.max(retryAfter, Math.min(LONGEST_PAUSE, 2 ** failures)) * (1 + Math.random() / 2);
    failures += 1;
    timer = setTimeout(open, pause);
    onState("waiting", { until: Date.now() + pause, cut });
  }

  function address(path, parameters) {
    const result = new URL(path, url);
    for (const name of [topic].flat()) result.searchParams.append("topic", name);
    for (const [name, value] of Object.entries(parameters)) result.searchParams.set(name, value);
    return result;
  }

  function close() {
    closed = true;
    clearTimeout(timer);
    source?.close();
    onState("closed");
  }

  open();
  return {
    close,
    get cursor() {
      return cursor;
    },
  };
}

async function position(address) {
  const response = await fetch(address, { cache: "no-store", signal: AbortSignal.timeout(10_000) });
  if (response.ok) return (await response.json()).cursor;
  const retryAfter = Number(response.headers.get("Retry-After")) || 0;
  throw Object.assign(new Error(response.statusText), { retryAfter });
}

/** The gap that an event reports; nothing if it is a message that merely bears that name. */
function gapIn(event) {
  try {
    const gap = JSON.parse(event.data);
    return gap.cursor === event.lastEventId ? gap : null;
  } catch {
    return null;
  }
}

/** The bytes of an event as the server wrote it: its fields, and the empty line. */
function eventSize({ type, data, lastEventId }) {
  const name = type === "message" ? "" : `event: ${type}\n`;
  const lines = data.split("\n").map((line) => `data: ${line}\n`);
  return utf8.encode(`id: ${lastEventId}\n${name}${lines.join("")}\n`).length;
}
