import { ask, route } from "./http.js";

/**
 * Follows by Server-Sent Events (`/events`). Returns the function that closes it. An `EventSource` can send no token, so it is given a
 * ticket; and since that is good for half a minute, a stream that ends is not left to come back by itself.
 */
export function followByEventSource(service, { query, token, onTrace }, link) {
  let source;

  async function open() {
    const ticket = token && (await ticketFor(token));
    if (link.isEnded) return;
    const address = route(service.url, "events", { ...query, ticket, data: "json", heartbeat: 1 });
    onTrace?.("request", address.href);
    source = new EventSource(address);
    on("heartbeat", ({ data, lastEventId }) => {
      if (lastEventId) link.tell("position", lastEventId);
      link.live();
      link.beats(Number(data));
    });
    on("message", ({ data }) => link.tell("message", JSON.parse(data)));
    on("gap", ({ data }) => link.tell("gap", JSON.parse(data)));
    on("expired", () => link.end(undefined, "expired"));
    source.onerror = () => link.end();
  }

  /** Hands on an event, and the position that comes with each. */
  function on(name, handle) {
    source.addEventListener(name, (event) => {
      onTrace?.("received", event);
      link.heard();
      handle(event);
      if (event.lastEventId) link.tell("position", event.lastEventId);
    });
  }

  async function ticketFor(token) {
    try {
      return (await ask(route(service.url, "ticket"), { method: "POST", token })).ticket;
    } catch (error) {
      // An open service has none.
      if (error.code !== "no_tickets") throw error;
    }
  }

  open().catch((error) => link.end(error));

  return () => source?.close();
}
