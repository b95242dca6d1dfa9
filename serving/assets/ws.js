// A client of the WebSocket method: one socket to `/feed`, messages in both directions.
//
// `url` is the service's base, `topic` one topic or several, `since` where to begin (default: now).
// `onState(state, detail)`: "connecting", "open", "waiting" (detail: `until`, in ms of Date.now, and
// `cut`, whether a working connection was lost), "closed". `onTraffic` gets `requests` and `bytes`.

const LONGEST_PAUSE = 30; // seconds
const ACK_WITHIN = 60_000; // the server remembers a key for two minutes; later a repeat could double

const utf8 = new TextEncoder();

export function connect({ url, topic = [], since, onState, onMessage, onGap, onTraffic = () => {} }) {
  const unacknowledged = new Map();
  let cursor = since;
  let failures = 0;
  let socket;
  let timer;

  function open() {
    let welcomed = false;
    onState("connecting");
    onTraffic({ requests: 1, bytes: 0 });
    socket = new WebSocket(feed(url, topic, cursor));

    socket.onmessage = ({ data }) => {
      onTraffic({ requests: 0, bytes: frameSize(data) });
      const frame = JSON.parse(data);
      if (frame.type === "welcome") {
        welcomed = true;
        failures = 0;
        cursor = frame.cursor;
        onState("open");
        // What was sent just before a cut may or may not have arrived: its key makes a repeat harmless.
        for (const { text } of unacknowledged.values()) socket.send(text);
      } else if (frame.type === "message") {
        cursor = frame.id;
        onMessage(frame);
      } else if (frame.type === "position") {
        cursor = frame.cursor;
      } else if (frame.type === "gap") {
        cursor = frame.cursor;
        onGap(frame);
      } else {
        settle(frame);
      }
    };

    socket.onclose = () => {
      const pause = 1000 * Math.min(LONGEST_PAUSE, 2 ** failures) * (1 + Math.random() / 2);
      failures += 1;
      timer = setTimeout(open, pause);
      onState("waiting", { until: Date.now() + pause, cut: welcomed });
    };
  }

  function settle({ type, key, id, message }) {
    const waiting = unacknowledged.get(key);
    if (!waiting) return;
    unacknowledged.delete(key);
    clearTimeout(waiting.timer);
    if (type === "ack") waiting.resolve({ id });
    else waiting.reject(type === "error" ? new Error(message) : new DOMException("no ack", "TimeoutError"));
  }

  /** Publishes over the socket; resolves with the message's id once the server has it for good. */
  function publish(message, key) {
    return new Promise((resolve, reject) => {
      const text = JSON.stringify({ type: "publish", key, ...message });
      const giveUp = () => settle({ type: "unanswered", key });
      unacknowledged.set(key, { text, resolve, reject, timer: setTimeout(giveUp, ACK_WITHIN) });
      if (socket.readyState === WebSocket.OPEN) socket.send(text);
    });
  }

  function close() {
    clearTimeout(timer);
    socket.onmessage = null;
    socket.onclose = null;
    socket.close();
    for (const key of unacknowledged.keys()) settle({ type: "unanswered", key });
    onState("closed");
  }

  open();
  return {
    close,
    publish,
    get cursor() {
      return cursor;
    },
  };
}

function feed(base, topic, since) {
  const address = new URL("feed", base);
  address.protocol = address.protocol === "https:" ? "wss:" : "ws:";
  for (const name of [topic].flat()) address.searchParams.append("topic", name);
  if (since) address.searchParams.set("since", since);
  return address;
}

/** The bytes of a server's text frame (RFC 6455, section 5.2): its payload, and 2, 4 or 10 of header. */
function frameSize(text) {
  const payload = utf8.encode(text).length;
  if (payload < 126) return payload + 2;
  return payload + (payload < 65_536 ? 4 : 10);
}
