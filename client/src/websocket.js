import { route } from "./http.js";

/** The close code of a client whose token has ended. */
const EXPIRED = 3000;

/** Follows by WebSocket (`/feed`). Returns the function that closes it. A token is renewed within the connection. */
export function followByWebSocket(service, { query, token, credentials, onTrace }, link) {
  const address = route(service.url, "feed", { ...query, heartbeat: 1 });
  address.protocol = address.protocol.replace("http", "ws");
  onTrace?.("request", address.href);
  const socket = new WebSocket(address, token ? ["push", `push.token.${token}`] : []);

  socket.onmessage = ({ data }) => {
    onTrace?.("received", data);
    const { type, ...frame } = JSON.parse(data);
    link.heard();
    if (type === "message" || type === "gap") link.tell(type, frame);
    else if (type === "position") link.tell("position", frame.cursor);
    else if (type === "heartbeat") {
      link.beats(frame.period);
      link.tell("position");
    } else if (type === "token_expiring") renew();
    else if (type === "welcome") {
      link.tell("position", frame.cursor);
      link.live();
    }
  };

  socket.onclose = ({ code }) => link.end(undefined, code === EXPIRED ? "expired" : "cut");

  async function renew() {
    credentials.discard();
    // Without another token, the connection ends with this one, and the next attempt says why.
    const another = await credentials.get().catch(() => {});
    if (!another || another === token || socket.readyState !== WebSocket.OPEN) return;
    token = another;
    socket.send(JSON.stringify({ type: "token", token }));
  }

  return () => {
    socket.onmessage = socket.onclose = null;
    socket.close();
  };
}
