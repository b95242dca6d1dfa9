import { publish } from "../push.js";

/** The longest time for a publication, in milliseconds, since a person waits for it. */
const PUBLISH_WITHIN = 10_000;

/** Has a form answered by a script; the browser never sends one here. */
export function onSubmit(form, handle) {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    handle();
  });
}

/** Publishes a text, or several together. */
export function publishText(base, topic, text, options) {
  return publish(base, topic, text, { ...options, signal: AbortSignal.timeout(PUBLISH_WITHIN) });
}

/** The words for an error of `publishText`, as arguments of `write`. */
export function publishError({ status, code, message }) {
  return status > 0 || code === "queue_full" ? ["publishRefused", { message }] : ["publishUnreachable"];
}
