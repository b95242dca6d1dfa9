// The parts that the pages share: the state badge, the list of messages, publishing, and the index pages' wiring.

import { publish, subscribe } from "../push.js";
import { clockTime, milliseconds, number, say, translate } from "./text.js";

const byId = (id) => document.getElementById(id);

/** Shows a connection's state in `element`; returns the function to call with each new one. */
export function stateBadge(element) {
  const label = document.createElement("span");
  // The countdown is for the eye alone: a screen reader would have to announce every second of it.
  const countdown = document.createElement("span");
  countdown.setAttribute("aria-hidden", "true");
  element.replaceChildren(label, " ", countdown);
  let timer;

  return (state, { until, cut } = {}) => {
    clearInterval(timer);
    element.dataset.state = state;
    label.textContent = say(state === "waiting" ? (cut ? "cut" : "unreachable") : state);
    countdown.textContent = "";
    if (!until) return;
    const count = () => {
      const seconds = Math.max(1, Math.ceil((until - Date.now()) / 1000));
      countdown.textContent = say("inSeconds", { n: seconds });
    };
    count();
    timer = setInterval(count, 250);
  };
}

/** The list of messages, newest on top. A message that comes twice is shown once. */
export class MessageList {
  #list;
  #limit;
  #seen = new Map();
  #sentFromHere = new Map();
  #onDelay;

  constructor(list, { limit = 200, onDelay = () => {} } = {}) {
    this.#list = list;
    this.#limit = limit;
    this.#onDelay = onDelay;
  }

  /** Adds a message; false if it was here before. */
  add(message) {
    if (this.#seen.has(message.id)) return false;
    const row = document.createElement("li");
    row.dataset.kind = "message";
    row.dataset.id = message.id;
    const shown = { message, row, arrived: performance.now(), arrivedAt: new Date() };
    this.#remember(this.#seen, message.id, shown);
    const sent = this.#sentFromHere.get(message.id);
    this.#sentFromHere.delete(message.id);
    this.#fill(shown, sent);
    this.#put(row);
    return true;
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
    const explanation = { expired: "gapExpired", epoch: "gapEpoch", lagged: "gapLagged" }[reason] ?? "gapExpired";
    row.append(element("strong", "title", say("gap")), element("p", "text", say(explanation, { since })));
    this.#put(row);
  }

  #fill(shown, sent) {
    const { message, row, arrived, arrivedAt } = shown;
    const at = message.at ?? sent?.at;
    const published = at && new Date(at);
    let delay = published && arrivedAt - published;
    if (sent) {
      shown.sent = sent;
      delay = arrived - sent.clicked;
      this.#onDelay(delay);
    }

    const when = element("span", "when", `${say(published ? "publishedAt" : "arrivedAt")} `);
    const time = element("time", "time", clockTime(published ?? arrivedAt));
    time.dateTime = (published ?? arrivedAt).toISOString();
    when.append(time);
    const facts = element("p", "facts");
    facts.append(when);
    if (delay !== undefined) {
      const delayed = element("span", "delay", say("delay", { ms: milliseconds(delay) }));
      delayed.dataset.ms = Math.round(delay);
      facts.append(delayed);
    }
    if (message.event) facts.append(element("span", "event", say("eventOf", message)));
    if (message.topic && message.topic !== "main") facts.append(element("span", "topic", say("topicOf", message)));
    row.replaceChildren(element("p", "text", message.text), facts);
  }

  // Ids are remembered for longer than rows are shown, but not for ever.
  #remember(map, id, value) {
    map.set(id, value);
    if (map.size > 10 * this.#limit) map.delete(map.keys().next().value);
  }

  #put(row) {
    this.#list.prepend(row);
    while (this.#list.children.length > this.#limit) this.#list.lastElementChild.remove();
  }
}

function element(name, className, text = "") {
  const result = document.createElement(name);
  result.className = className;
  result.textContent = text;
  return result;
}

/** The longest time for a publication, in milliseconds, since a person waits for it. */
const PUBLISH_WITHIN = 10_000;

/** Publishes a text, or several together. */
export function publishText(base, topic, text, options) {
  return publish(base, topic, text, { ...options, signal: AbortSignal.timeout(PUBLISH_WITHIN) });
}

/** The words for an error of `publishText`. */
export function publishError(error) {
  const isAnswer = error.status > 0;
  return isAnswer ? say("publishRefused", { message: error.message }) : say("publishUnreachable");
}

/** Makes the index page of a service work, whose method is `ws`, `sse` or `poll`. */
export function startPage(method) {
  translate();
  for (const code of document.querySelectorAll("pre code")) {
    code.textContent = code.textContent.trim().replace(/(http|ws):\/\/localhost:\d+/g, (_, scheme) =>
      location.origin.replace("http", scheme),
    );
  }

  const base = new URL("/", location.href);
  const badge = stateBadge(byId("state"));
  const list = new MessageList(byId("messages"));
  const topics = () => byId("topic").value.split(/[\s,]+/).filter(Boolean);
  let connection;
  let followed;
  let resumeFrom = new URLSearchParams(location.search).get("since") ?? undefined;
  let received = 0;

  function open() {
    // A person who comes back to the same topics wants what was missed; other topics begin now.
    if (followed && `${followed}` !== `${topics()}`) resumeFrom = undefined;
    followed = topics();
    byId("connection-error").textContent = "";
    connection = subscribe({
      [method]: base,
      topics: followed,
      since: resumeFrom,
      onState,
      onMessage: (message) => {
        if (list.add(message)) count();
      },
      onGap: (gap) => {
        list.addGap(gap);
        byId("messages-empty").hidden = true;
      },
    });
  }

  function close() {
    resumeFrom = connection?.cursor ?? resumeFrom;
    connection?.close();
    connection = undefined;
  }

  function offerButtons() {
    const same = `${followed}` === `${topics()}`;
    byId("connect").disabled = same && ["connecting", "open"].includes(byId("state").dataset.state);
    byId("disconnect").disabled = byId("state").dataset.state === "closed";
  }

  function onState(state, { until, cut, error }) {
    const isRefused = state === "refused";
    badge(isRefused ? "closed" : state, { until, cut });
    offerButtons();
    if (state === "open") byId("connection-error").textContent = "";
    if (error?.status) byId("connection-error").textContent = error.message;
    if (isRefused) askForToken(error.status);
  }

  // A closed service is opened by a token, which the browser sends by itself once it is a cookie of this site.
  function askForToken(status) {
    if (status === 401) byId("token-part").hidden = false;
  }

  /** Keeps the token that was filled in, and says whether it can be one. */
  function keepToken() {
    const token = byId("token").value.trim();
    if (!token) return true;
    if (!/^[\w.-]+$/.test(token)) {
      byId("connection-error").textContent = say("badToken");
      return false;
    }
    const secure = location.protocol === "https:" ? "; Secure" : "";
    document.cookie = `push_token=${token}; Path=${base.pathname}; SameSite=Strict${secure}`;
    byId("token").value = "";
    return true;
  }

  function count() {
    received += 1;
    byId("count").textContent = number(received);
    byId("messages-empty").hidden = true;
  }

  async function send() {
    const result = byId("publish-result");
    const topic = byId("publish-topic").value.trim() || "main";
    const event = byId("publish-event").value.trim() || undefined;
    result.classList.remove("error");
    result.textContent = say("publishing");
    try {
      const answer = await publishText(base, topic, byId("publish-text").value, { event });
      result.textContent = say("published", answer);
    } catch (error) {
      result.classList.add("error");
      result.textContent = publishError(error);
      askForToken(error.status);
    }
  }

  onSubmit(byId("connection"), () => {
    if (!keepToken()) return;
    close();
    open();
  });
  byId("connection").addEventListener("input", offerButtons);
  byId("disconnect").addEventListener("click", close);
  onSubmit(byId("publish"), send);
  byId("topic").value = new URLSearchParams(location.search).getAll("topic").join(" ") || "main";
  open();
}

/** Forms here are answered by scripts alone; the browser never sends one. */
export function onSubmit(form, handle) {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    handle();
  });
}
