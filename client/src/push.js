import { PushError } from "./errors.js";
import { publish } from "./publish.js";
import { subscribe } from "./subscribe.js";

export { PushError, publish, subscribe };
