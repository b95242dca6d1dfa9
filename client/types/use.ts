// The types as a program uses them. `cargo xtask client` has the compiler check this file: a line after `@ts-expect-error` must be wrong.

import { PushError, publish, subscribe, type Gap, type Message, type Method } from "push-client";

const subscription = subscribe({
  ws: "http://localhost:8080",
  sse: new URL("http://localhost:3001"),
  poll: "/poll-service",
  topics: ["orders.*", "news"],
  since: "earliest",
  token: async () => (await fetch("/token")).text(),
  share: "ada",
  onMessage(message) {
    const text: string = message.text;
    const event: string | undefined = message.event;
    return void [text, event];
  },
  onGap: ({ reason, since, cursor }: Gap) => console.log(reason, since, cursor),
  onState(state, detail) {
    if (state === "refused") console.log(detail.error.status);
    else if (state === "waiting") console.log(detail.until, detail.cut);
    else if (state === "open") console.log(detail.method);
  },
});
const cursor: string | undefined = subscription.cursor;
subscription.close();

subscribe({ sse: "/", topics: "main", onMessage: (message: Message) => console.log(message.id) });

export async function order(): Promise<string> {
  try {
    const { id } = await publish("/", "orders.new", "42", { event: "created", key: "k", token: "t" });
    const [first] = await publish("/", "orders.new", ["43", "44"], { signal: AbortSignal.timeout(1000) });
    return first?.id ?? id;
  } catch (error) {
    if (error instanceof PushError && error.status === 401) return error.code;
    throw error;
  }
}

export const methods: Method[] = ["ws", "sse", "poll"];
export { cursor };

// @ts-expect-error: a cursor is read only
subscription.cursor = "e-1";
// @ts-expect-error: data is text
publish("/", "main", { an: "object" });
// @ts-expect-error: no such option
subscribe({ sse: "/", topic: "main" });
// @ts-expect-error: no such method
export const wrong: Method = "carrier pigeon";
