const LONGEST = 30_000;

/**
 * The milliseconds to wait after so many failures in a row: at random between none and a limit that doubles ("full jitter"), so that
 * clients that were cut off together do not come back together. A server may ask for more by `Retry-After`.
 */
export function backoff(failures, retryAfter = 0) {
  return Math.random() * Math.min(LONGEST, 1000 * 2 ** failures) + 1000 * retryAfter;
}

/** Waits for so many milliseconds, or until the browser is online again, or the signal aborts. */
export function pause(milliseconds, signal) {
  const over = firstOf(AbortSignal.timeout(milliseconds), signal);
  return new Promise((resolve) => {
    over.addEventListener("abort", resolve);
    addEventListener("online", resolve, { signal: over });
  });
}

/** The signal that aborts with the first of these. The second one may be missing. */
export const firstOf = (...signals) => AbortSignal.any(signals.filter(Boolean));
