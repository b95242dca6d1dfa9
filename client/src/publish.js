import { backoff, pause } from "./backoff.js";
import { Credentials } from "./credentials.js";
import { PushError, isRefusal } from "./errors.js";
import { ask, route } from "./http.js";

/** The most publications that wait for a service. */
const MAX_WAITING = 1000;
/** The milliseconds for which a publication is repeated. Services remember a key for two minutes; a later repeat could double it. */
const REPEAT_FOR = 100_000;

/** Those that wait, by the address of their service. */
const queues = new Map();

/** Publishes a text, or several together. The types and their documentation are in push.d.ts. */
export async function publish(url, topic, data, { event, key = newKey(), token, signal } = {}) {
  signal?.throwIfAborted();
  const isText = (value) => typeof value === "string";
  if (![data].flat().every(isText)) throw new TypeError("publish: `data` is no text or texts");
  const message = (text) => ({ text, event });
  const publication = {
    address: route(url, "messages", { topic }),
    body: JSON.stringify(isText(data) ? message(data) : data.map(message)),
    key,
    credentials: new Credentials(token),
    signal,
  };
  return enqueue(route(url, "").href, publication);
}

/** Publications to a service are sent one after the other, so that they are in order whatever happens on the way. */
function enqueue(service, publication) {
  const waiting = queues.get(service) ?? [];
  if (waiting.length >= MAX_WAITING) {
    throw new PushError("queue_full", `${MAX_WAITING} publications wait already`);
  }
  return new Promise((resolve, reject) => {
    const done = new AbortController();
    const attempt = () => send(publication).then(resolve, reject).finally(() => done.abort());
    const abort = () => {
      reject(publication.signal.reason);
      // The first one has begun.
      if (waiting.indexOf(attempt) > 0) waiting.splice(waiting.indexOf(attempt), 1);
    };
    publication.signal?.addEventListener("abort", abort, { signal: done.signal });
    waiting.push(attempt);
    if (waiting.length > 1) return;
    queues.set(service, waiting);
    work(service, waiting);
  });
}

async function work(service, waiting) {
  for (; waiting.length > 0; waiting.shift()) await waiting[0]();
  queues.delete(service);
}

/** Sends a publication until it is answered. The same key at each attempt keeps a repeat from doubling it. */
async function send({ address, body, key, credentials, signal }) {
  const headers = { "Content-Type": "application/json", "Idempotency-Key": key };
  let inDoubtSince;
  let problem;
  for (let failures = 0; !(Date.now() - inDoubtSince > REPEAT_FOR); failures += 1) {
    const wasOffline = isOffline();
    const startedAt = Date.now();
    try {
      const token = await credentials.get();
      signal?.throwIfAborted();
      return await ask(address, { method: "POST", headers, body, token, signal });
    } catch (error) {
      signal?.throwIfAborted();
      if (error.status === 401 && !credentials.isNew) credentials.discard();
      else if (isRefusal(error)) throw error;
      // Nothing leaves a browser that is offline.
      if (!wasOffline || !isOffline()) inDoubtSince ??= startedAt;
      problem = error;
      credentials.isNew = false;
      await pause(backoff(failures, error.retryAfter), signal);
    }
  }
  throw problem;
}

const isOffline = () => navigator.onLine === false;

// crypto.randomUUID is missing on pages that came over plain HTTP from another machine.
const newKey = () => crypto.getRandomValues(new Uint32Array(4)).join("-");
