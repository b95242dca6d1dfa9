// The bytes that came from a service, by what push.js says was received.

const utf8 = new TextEncoder();
const size = (text) => utf8.encode(text).length;

/** The id of the last event, by its EventSource. */
const lastIds = new WeakMap();

export const bytesOf = {
  /** The bytes of a text frame (RFC 6455, section 5.2): its payload, and 2, 4 or 10 of header. */
  ws(text) {
    const payload = size(text);
    if (payload < 126) return payload + 2;
    return payload + (payload < 65_536 ? 4 : 10);
  },

  /** The bytes of an event as the service wrote it: its fields, the empty line, and the frame of its chunk. */
  sse({ type, data, lastEventId, target }) {
    // An event without an id of its own has that of the event before it.
    const id = lastEventId === (lastIds.get(target) ?? "") ? "" : `id: ${lastEventId}\n`;
    lastIds.set(target, lastEventId);
    const name = type === "message" ? "" : `event: ${type}\n`;
    const event = size(`${id}${name}data: ${data}\n\n`);
    return event + event.toString(16).length + 4;
  },

  /** The bytes of an answer as HTTP/1.1 spells it: status line, the headers a script may see, body. */
  poll({ response, text }) {
    let head = `HTTP/1.1 ${response.status} ${response.statusText}\r\n`;
    for (const [name, value] of response.headers) head += `${name}: ${value}\r\n`;
    return size(`${head}\r\n${text}`);
  },
};
