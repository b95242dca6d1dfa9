import { firstOf } from "./backoff.js";
import { PushError } from "./errors.js";

/** The milliseconds for an answer that the service does not hold back. */
export const ANSWER_WITHIN = 10_000;

/** The longest `Retry-After` in seconds. Timers go wrong beyond 24 days. */
const LONGEST_RETRY = 86_400;

/** The address of a service's route. `base` may have a path, and may be relative to the page. */
export function route(base, name, parameters = {}) {
  const address = new URL(name, new URL(`${base}`.replace(/\/?$/, "/"), globalThis.location?.href));
  for (const [key, values] of Object.entries(parameters)) {
    for (const value of [values].flat()) if (value !== undefined) address.searchParams.append(key, value);
  }
  return address;
}

/**
 * Sends a request and returns the JSON of its answer. An answer with an error becomes a `PushError`; without an answer, the error
 * is that of `fetch`, or a `TimeoutError` after `within` milliseconds.
 */
export async function ask(address, { token, within = ANSWER_WITHIN, signal, headers, onTrace, ...request }) {
  const response = await fetch(address, {
    ...request,
    cache: "no-store",
    headers: token ? { ...headers, Authorization: `Bearer ${token}` } : headers,
    signal: firstOf(AbortSignal.timeout(within), signal),
  });
  const text = await response.text();
  onTrace?.("received", { response, text });
  if (response.ok) return JSON.parse(text);
  throw errorOf(response, text);
}

function errorOf(response, text) {
  const { status, headers } = response;
  // Something in between may have answered in place of the service.
  const answer = { error: "not_the_service", message: `the answer is ${status}` };
  try {
    Object.assign(answer, JSON.parse(text));
  } catch {}
  return new PushError(answer.error, answer.message, status, Math.min(Math.max(Number(headers.get("Retry-After")) || 0, 0), LONGEST_RETRY));
}
