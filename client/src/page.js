/**
 * Watches the page's life: `wake` after something that a connection may not have survived, `leave` before the page may enter the
 * back/forward cache, where browsers close its WebSockets, and `comeBack` after it. Returns the function that ends this.
 */
export function watchPage({ wake, leave, comeBack }) {
  const ended = new AbortController();
  const on = (target, name, handle) => target?.addEventListener(name, handle, { signal: ended.signal });
  on(globalThis, "online", () => wake(true));
  on(globalThis, "pagehide", leave);
  on(globalThis, "pageshow", ({ persisted }) => persisted && comeBack());
  // Frozen tabs, and machines that were asleep.
  on(globalThis.document, "resume", () => wake(false));
  on(globalThis.document, "visibilitychange", () => document.visibilityState === "visible" && wake(false));
  return () => ended.abort();
}
