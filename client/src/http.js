import { PushError } from "./errors.js";

/** The address of a service's route. `base` may have a path, and may be relative to the page. */
export function route(base, name, parameters) {
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
export async function ask(address, { token, within, signal, headers, onTrace, ...request }) {
  const response = await fetch(address, {
    ...request,
    cache: "no-store",
    headers: token ? { ...headers, Authorization: `Bearer ${token}` } : headers,
    signal: AbortSignal.any([AbortSignal.timeout(within), signal].filter(Boolean)),
  });
  const text = await response.text();
  onTrace?.("received", { response, text });
  if (response.ok) return JSON.parse(text);
  throw errorOf(response, text);
}

function errorOf(response, text) {
  const { status, statusText } = response;
  const retryAfter = Number(response.headers.get("Retry-After")) || 0;
  try {
    const { error, message } = JSON.parse(text);
    return new PushError(error, message, { status, retryAfter });
  } catch {
    // Not the service, but something in between has answered.
    return new PushError("not_the_service", `the answer is ${status} ${statusText}`, { status, retryAfter });
  }
}
