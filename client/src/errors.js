/** A request that was answered by an error, or that is given up. `message` is a sentence for a person. */
export class PushError extends Error {
  name = "PushError";

  constructor(code, message, status = 0, retryAfter = 0) {
    super(message);
    this.code = code;
    this.status = status;
    this.retryAfter = retryAfter;
  }
}

/** True if the same request would be refused again: an answer of the service that has nothing to do with its state. */
export function isRefusal({ code, status } = {}) {
  return code !== "not_the_service" && status >= 400 && status < 500 && ![408, 425, 429].includes(status);
}
