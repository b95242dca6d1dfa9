import { ask, route } from "./http.js";

/** The longest time for the answer with a ticket, in milliseconds. */
const TICKET_WITHIN = 10_000;

/**
 * Follows by Server-Sent Events (`/events`). Returns the function that closes it. An `EventSource` can send no token, so it is given a
 * ticket; and since that is good once, a stream that ends is not left to come back by itself.
 */
export function followByEventSource(service, { query, token, onTrace }, sink) {
  let source;
  let isClosed = false;

  async function open() {
    const ticket = token && (await ticketFor(token));
    if (isClosed) return;
    const address = route(service.url, "events", { ...query, ticket, data: "json", heartbeat: 1 });
    onTrace?.("request", address.href);
    source = new EventSource(address);
    on("heartbeat", ({ data, lastEventId }) => {
      if (lastEventId) sink.position(lastEventId);
      sink.live();
      sink.heard(Number(data));
    });
    on("message", ({ data }) => sink.message(JSON.parse(data)));
    on("gap", ({ data }) => sink.gap(JSON.parse(data)));
    on("expired", () => sink.end("expired"));
    source.onerror = () => sink.end("cut");
  }

  /** Hands on an event, and the position that comes with each. */
  function on(name, handle) {
    source.addEventListener(name, (event) => {
      onTrace?.("received", event);
      sink.heard();
      handle(event);
      if (!isClosed && event.lastEventId) sink.position(event.lastEventId);
    });
  }

  async function ticketFor(bearer) {
    const address = route(service.url, "ticket", {});
    try {
      return (await ask(address, { method: "POST", token: bearer, within: TICKET_WITHIN })).ticket;
    } catch (error) {
      if (error.code === "no_tickets") return undefined;
      throw error;
    }
  }

  open().catch((error) => sink.end("failed", error));

  return () => {
    isClosed = true;
    source?.close();
  };
}
