import { copyButton } from "./copy.js";
import { element } from "./element.js";
import { clockTime, milliseconds, write } from "./text.js";

const EXPLANATIONS = { expired: "gapExpired", epoch: "gapEpoch", lagged: "gapLagged" };

/**
 * The list of messages, the latest on top. A message that comes twice is shown once.
 *
 * Of all the copy buttons, the key Tab reaches one: that of the latest message, or the one on which a person is. The arrow keys go from
 * there to the others.
 */
export class MessageList {
  #list;
  #limit;
  #seen = new Map();
  #sentFromHere = new Map();
  #onDelay;

  /** `onDelay(id, milliseconds, isFromHere)` is called with the time that a message took. */
  constructor(list, { limit = 200, onDelay = () => {} } = {}) {
    this.#list = list;
    this.#limit = limit;
    this.#onDelay = onDelay;
    list.addEventListener("keydown", (event) => this.#move(event));
  }

  /** The id of the earliest message that is shown. */
  get earliest() {
    return [...this.#list.children].findLast((row) => row.dataset.id)?.dataset.id;
  }

  /** Adds a message; false if it was here before. */
  add(message) {
    if (this.#seen.has(message.id)) return false;
    const shown = { message, ...rowOf(message), arrived: performance.now(), arrivedAt: new Date() };
    this.#remember(this.#seen, message.id, shown);
    this.#fill(shown, this.#sentFromHere.get(message.id));
    this.#sentFromHere.delete(message.id);
    this.#put(shown.row);
    return true;
  }

  /** Adds messages from before the earliest one that is shown, in the order of publication. */
  addEarlier(messages) {
    this.#limit += messages.length;
    for (const message of messages.toReversed()) {
      const shown = { message, ...rowOf(message) };
      this.#seen.set(message.id, shown);
      this.#fill(shown);
      this.#list.append(shown.row);
    }
    this.#keepOneStop();
  }

  /** Message `id` was sent from this page, at `clicked` on performance.now's clock. May come before or after `add`. */
  sentFromHere(id, sent) {
    const shown = this.#seen.get(id);
    if (!shown) this.#remember(this.#sentFromHere, id, sent);
    else if (!shown.sent) this.#fill(shown, sent);
  }

  addGap({ reason, since }) {
    const row = document.createElement("li");
    row.dataset.kind = "gap";
    row.dataset.reason = reason;
    const [title, text] = [element("strong", "title"), element("p", "text")];
    write(title, "gap");
    write(text, EXPLANATIONS[reason] ?? "gapExpired", { since });
    row.append(title, text);
    this.#put(row);
  }

  /** Writes what is known of a message. Its copy button stays, since a person may be on it. */
  #fill(shown, sent) {
    const { message, facts, arrived, arrivedAt } = shown;
    const at = message.at ?? sent?.at;
    const published = at && new Date(at);
    let delay = published && arrivedAt && arrivedAt - published;
    if (sent && arrivedAt) {
      shown.sent = sent;
      delay = arrived - sent.clicked;
    }
    if (delay !== undefined) this.#onDelay(message.id, delay, Boolean(sent));

    const when = element("span", "when");
    const time = element("time", "time", clockTime(published ?? arrivedAt));
    time.dateTime = (published ?? arrivedAt).toISOString();
    when.append(fact("", published ? "publishedAt" : "arrivedAt"), " ", time);
    const parts = [when];
    if (delay !== undefined) {
      parts.push(fact("delay", "delay", { ms: milliseconds(delay) }));
      parts.at(-1).dataset.ms = Math.round(delay);
    }
    if (message.event) parts.push(fact("event", "eventOf", message));
    if (message.topic && message.topic !== "main") parts.push(fact("topic", "topicOf", message));
    facts.replaceChildren(...parts);
  }

  // Ids are remembered for longer than rows are shown, but not for ever.
  #remember(map, id, value) {
    map.set(id, value);
    if (map.size > 10 * this.#limit) map.delete(map.keys().next().value);
  }

  #put(row) {
    this.#list.prepend(row);
    while (this.#list.children.length > this.#limit) this.#list.lastElementChild.remove();
    this.#keepOneStop();
  }

  #buttons() {
    return [...this.#list.getElementsByClassName("copy")];
  }

  #keepOneStop() {
    if (this.#list.contains(document.activeElement)) return;
    const [latest, ...others] = this.#buttons();
    if (latest) latest.tabIndex = 0;
    for (const other of others) other.tabIndex = -1;
  }

  #move(event) {
    const buttons = this.#buttons();
    const place = buttons.indexOf(event.target);
    const places = { ArrowUp: place - 1, ArrowDown: place + 1, Home: 0, End: buttons.length - 1 };
    const next = place >= 0 && buttons[places[event.key]];
    if (!next) return;
    event.preventDefault();
    event.target.tabIndex = -1;
    next.tabIndex = 0;
    next.focus();
  }
}

function rowOf(message) {
  const row = document.createElement("li");
  row.dataset.kind = "message";
  row.dataset.id = message.id;
  const facts = element("span", "facts");
  const id = element("code", "", message.id);
  const place = element("span", "id");
  place.append(fact("", "messageId"), " ", id, " ", copyButton(id));
  place.lastElementChild.tabIndex = -1;
  const line = element("div", "line");
  line.append(facts, place);
  row.append(element("p", "text", message.text), line);
  return { row, facts };
}

function fact(className, key, filling) {
  const result = element("span", className);
  write(result, key, filling);
  return result;
}
