/** A message of a topic. */
export interface Message {
  /** The place in the history; a cursor too. */
  id: string;
  topic: string;
  text: string;
  /** The name that the publisher gave to this kind of message, if any. */
  event?: string;
  /** The time at which the history took it, as `2026-11-22T07:25:08.123Z`. */
  at: string;
  /** The operation that published it (W3C Trace Context), where that is part of a trace. */
  traceparent?: string;
}

/** Messages are missing here: those after `since` and up to `cursor`. */
export interface Gap {
  /** `expired`: away for too long. `epoch`: the history is another one. `lagged`: connected, but too slow. */
  reason: "expired" | "epoch" | "lagged";
  since: string;
  cursor: string;
}

export type Method = "ws" | "sse" | "poll";

/** The states of a subscription, each with its detail. After `refused` and `closed` nothing more comes. */
export interface States {
  connecting: { method: Method };
  /** Connected; what comes from now on is live, after what was missed. */
  open: { method: Method };
  /** Without a connection until `until`, in milliseconds of `Date.now()`. `cut`: there was one. `error`: why, where that is known. */
  waiting: { until: number; cut: boolean; error?: Error };
  /** No service takes this client, for this reason: a token is needed, a topic is not allowed, an option is wrong. */
  refused: { error: PushError };
  closed: Record<string, never>;
}

/** A state and its detail, so that a check of the one narrows the other. */
export type StateChange = { [State in keyof States]: [state: State, detail: States[State]] }[keyof States];

/** A token, or a function that gets one. It is asked again when the token ends or is refused. */
export type Token = string | (() => string | Promise<string>);

export interface SubscribeOptions {
  /** URLs of services, `http:` or `https:`, absolute or relative to the page. At least one; the best is tried first, in this order. */
  ws?: string | URL;
  sse?: string | URL;
  poll?: string | URL;
  /** Topics, and patterns such as `orders.*` and `orders.>`. Default: `main`. */
  topics?: string | string[];
  /** The position to begin at: `now`, `earliest`, or a cursor. Default: `now`. */
  since?: string;
  /** For a closed service; asked once, and again when the token ends. Without one, the browser may send a cookie by itself. */
  token?: Token;
  /**
   * Shares one connection among the tabs of an origin that follow the same. Default: `true`. A text makes a group of those that have the
   * same one: name the user, where tabs may belong to several.
   */
  share?: boolean | string;
  onMessage?(message: Message): void;
  onGap?(gap: Gap): void;
  onState?(...change: StateChange): void;
  /** For measuring: `request` with a URL, `received` with what came: a text (`ws`), a `MessageEvent` (`sse`), an answer (`poll`). */
  onTrace?(what: "request" | "received", value: string | MessageEvent | { response: Response; text: string }): void;
}

export interface Subscription {
  /** The position after all that has been received, as `since` of another subscription; `undefined` until the first connection. */
  readonly cursor: string | undefined;
  /** Ends it. `onState` gets `closed`, and nothing comes after that. */
  close(): void;
}

/**
 * Follows topics, until it is closed or refused. Every message comes once and in order, or a gap does.
 *
 * @throws {TypeError} if there is no URL, or one that is none.
 */
export function subscribe(options: SubscribeOptions): Subscription;

export interface PublishOptions {
  /** A name for this kind of message. */
  event?: string;
  /** The idempotency key, of 1 to 256 visible ASCII characters. Default: a new one. */
  key?: string;
  token?: Token;
  /** Gives the publication up. It may have been published all the same. */
  signal?: AbortSignal;
}

/** The place of a message that was published. */
export interface Published {
  id: string;
  topic: string;
  at: string;
  /** An earlier publication under the same key put it there. */
  repeated?: true;
}

/**
 * Publishes a text, or several together and in order. While the browser is offline, and while the service cannot be reached, it waits
 * and is tried again; publications to one service are in the order of the calls. It is published once.
 *
 * @throws {PushError} if the service refuses it, if 1000 wait already (`queue_full`), or if it is answered with an error for 100 seconds.
 * @throws {TypeError} if `data` is no text.
 * @throws the last error (a `TypeError`, `TimeoutError` or `SyntaxError`, or that of `token`) if there is no answer of the service for
 * 100 seconds: it may have been published.
 */
export function publish(url: string | URL, topic: string, data: string, options?: PublishOptions): Promise<Published>;
export function publish(url: string | URL, topic: string, data: string[], options?: PublishOptions): Promise<Published[]>;

/** An answer with an error. `message` is a sentence for a person. */
export class PushError extends Error {
  constructor(code: string, message: string, status?: number, retryAfter?: number);
  /** The code of the error, such as `unauthorized`; `not_the_service` if something in between has answered. */
  readonly code: string;
  /** The status of the answer; 0 without one. */
  readonly status: number;
  /** The seconds for which the service asks to wait; 0 if it does not. */
  readonly retryAfter: number;
}
