// A client of the Server-Sent Events method: EventSource reads `/events` and, after a cut, comes back by
// itself with the last id that it received. This adds what EventSource leaves to its user: whole messages as JSON,
// whatever their event names, and longer and longer pauses while the service is away.
//
// `url` is the service's base, `topic` one topic or several, `since` where to begin (default: now).
// `onState(state, detail)`: "connecting", "open", "waiting" (detail: `cut`, whether a working connection was
// lost, and `until`, in ms of Date.now, unless the browser keeps that to itself), "closed".
// `onTraffic` gets the `requests` and `bytes` of each step.

const LONGEST_PAUSE = 30; // seconds

const utf8 = new TextEncoder();

export function connect({ url, topic = [], since, onState, onMessage, onGap, onTraffic = () => {} }) {
  let cursor = since;
  let failures = 0;
  let source;
  let timer;

  function open() {
    let answered = false;
    let live = false;
    onState("connecting");
    onTraffic({ requests: 1, bytes: 0 });
    source = new EventSource(address());

    source.addEventListener("open", () => {
      answered = true;
    });

    // The first one comes at once, with the position; a service that turns the client away for now sends none.
    source.addEventListener("heartbeat", (event) => {
      keep(event);
      if (live) return;
      live = true;
      failures = 0;
      onState("open");
    });

    source.addEventListener("error", () => {
      const cut = live;
      const comesBack = answered && source.readyState === EventSource.CONNECTING;
      answered = false;
      live = false;
      if (comesBack) {
        // The browser does so by itself, after the time the server named in `retry`.
        onTraffic({ requests: 1, bytes: 0 });
        onState("waiting", { cut });
      } else {
        // Refused, or still away: from here on with a growing pause, which EventSource does not have.
        source.close();
        retry({ cut });
      }
    });

    source.addEventListener("message", (event) => {
      keep(event);
      onMessage(JSON.parse(event.data));
    });

    source.addEventListener("gap", (event) => {
      keep(event);
      onGap(JSON.parse(event.data));
    });
  }

  function keep(event) {
    onTraffic({ requests: 0, bytes: eventSize(event) });
    cursor = event.lastEventId || cursor;
  }

  function retry({ cut }) {
    const pause = 1000 * Math.min(LONGEST_PAUSE, 2 ** failures) * (1 + Math.random() / 2);
    failures += 1;
    timer = setTimeout(open, pause);
    onState("waiting", { until: Date.now() + pause, cut });
  }

  function address() {
    const result = new URL("events", url);
    for (const name of [topic].flat()) result.searchParams.append("topic", name);
    if (cursor) result.searchParams.set("since", cursor);
    result.searchParams.set("data", "json");
    result.searchParams.set("heartbeat", "1");
    return result;
  }

  function close() {
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

/** The bytes of an event as the server wrote it: its fields, the empty line, and the frame of its chunk. */
function eventSize({ type, data, lastEventId }) {
  const name = type === "message" ? "" : `event: ${type}\n`;
  const size = utf8.encode(`id: ${lastEventId}\n${name}data: ${data}\n\n`).length;
  return size + size.toString(16).length + 4;
}
