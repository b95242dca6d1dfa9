// The page of a service: what it follows, and what a person publishes there.

import { subscribe } from "../push.js";
import { Announcer } from "./announcer.js";
import { isOff, turnOff } from "./button.js";
import { copyButton } from "./copy.js";
import { CutButton } from "./cut.js";
import { offerEarlier } from "./earlier.js";
import { onSubmit, publishError, publishText } from "./form.js";
import { History } from "./history.js";
import { MessageList } from "./message-list.js";
import { networkTo } from "./network.js";
import { offerSettings } from "./settings.js";
import { stateBadge } from "./state-badge.js";
import { erase, messages, number, say, translate, write } from "./text.js";

/** The most characters of a message that are read out by themselves. */
const READ_OUT = 200;

const byId = (id) => document.getElementById(id);

/** Makes the page of a service work, whose method is `ws`, `sse` or `poll`. */
export function startPage(method) {
  offerSettings();
  translate();
  nameThisHost();
  const base = new URL("/", location.href);
  const feed = new Feed(method, base);
  startPublishing(base, feed);
  feed.open();
}

/** The commands of the page name the service as the browser reaches it. */
function nameThisHost() {
  for (const code of document.querySelectorAll("pre code")) {
    code.textContent = code.textContent.trim().replace(/(http|ws):\/\/localhost:\d+/g, (_, scheme) =>
      location.origin.replace("http", scheme),
    );
  }
}

/** The subscription, and what the page shows of it. */
class Feed {
  #method;
  #base;
  #badge = stateBadge(byId("state"));
  #list = new MessageList(byId("messages"));
  #connection;
  #followed;
  #history;
  #cut;
  #announcer;
  #received = 0;
  #unread = [];
  #resumeFrom = new URLSearchParams(location.search).get("since") ?? undefined;
  /** True while this page shares its connection with the other tabs: until its network is cut, while they keep theirs. */
  #shares = true;

  constructor(method, base) {
    this.#method = method;
    this.#base = base;
    byId("topic").value = new URLSearchParams(location.search).getAll("topic").join(" ") || "main";
    this.#announcer = new Announcer(byId("announcements"), () => this.#readOut());
    this.#cut = new CutButton({
      button: byId("cut"),
      countdown: byId("cut-countdown"),
      result: byId("cut-result"),
      network: networkTo(base),
      cursor: () => this.#cursor,
      history: () => this.#history,
      prepare: () => this.#standAlone(),
    });
    offerEarlier({
      button: byId("earlier"),
      result: byId("earlier-result"),
      list: this.#list,
      history: () => this.#history,
    });
    byId("copy-cursor").append(copyButton(byId("cursor")));
    // Messages of other topics move it on too.
    setInterval(() => this.#showCursor(), 1000);
    onSubmit(byId("connection"), () => this.#connect());
    byId("connection").addEventListener("input", () => this.#offerButtons());
    byId("disconnect").addEventListener("click", () => isOff(byId("disconnect")) || this.#close());
  }

  get #cursor() {
    return this.#connection?.cursor ?? this.#resumeFrom;
  }

  #topics() {
    return byId("topic").value.split(/[\s,]+/).filter(Boolean);
  }

  #isFollowed() {
    return `${this.#followed}` === `${this.#topics()}`;
  }

  open(topics = this.#topics()) {
    // A person who comes back to the same topics wants what was missed; other topics begin now.
    const isSame = `${this.#followed}` === `${topics}`;
    if (this.#followed && !isSame) this.#resumeFrom = undefined;
    if (!isSame) this.#history = new History(this.#base, topics);
    this.#followed = topics;
    erase(byId("connection-error"));
    this.#connection = subscribe({
      [this.#method]: this.#base,
      topics: this.#followed,
      since: this.#resumeFrom,
      share: this.#shares,
      onState: (...change) => this.#onState(...change),
      onMessage: (message) => this.#onMessage(message),
      onGap: (gap) => this.#onGap(gap),
    });
  }

  #close() {
    this.#resumeFrom = this.#cursor;
    this.#connection?.close();
    this.#connection = undefined;
  }

  #connect() {
    if (isOff(byId("connect")) || !this.#keepToken()) return;
    this.#close();
    this.open();
  }

  /** Makes a connection of this page's own. Resolves when it has one, or does not get one, to whether it has. */
  async #standAlone() {
    if (!this.#shares) return true;
    this.#shares = false;
    this.#close();
    this.open(this.#followed);
    await new Promise((resolve) => byId("state").addEventListener("settled", resolve, { once: true }));
    return byId("state").dataset.state === "open";
  }

  #onState(state, { until, cut, error }) {
    const isRefused = state === "refused";
    this.#badge(isRefused ? "closed" : state, { until, cut });
    this.#cut.isOpen = state === "open";
    this.#offerButtons();
    this.#showCursor();
    if (state !== "connecting") this.#showError(error);
    if (state !== "connecting") byId("state").dispatchEvent(new Event("settled"));
    if (isRefused) this.askForToken(error.status);
  }

  /** Shows the answer of the service, which says in English what is wrong. */
  #showError(error) {
    const element = byId("connection-error");
    if (!error?.status) return erase(element);
    // A screen reader would read out again what is written again.
    if (element.textContent === error.message) return;
    erase(element);
    element.textContent = error.message;
  }

  #onMessage(message) {
    if (!this.#list.add(message)) return;
    this.#received += 1;
    byId("count").textContent = number(this.#received);
    this.#showCursor();
    this.#cut.received(message.id);
    this.#unread.push(message.text);
    this.#announcer.news();
  }

  #onGap(gap) {
    this.#list.addGap(gap);
    this.#showCursor();
    this.#cut.gap();
    this.#unread.push(say("gap"));
    this.#announcer.news();
  }

  #readOut() {
    const count = this.#unread.length;
    const text = this.#unread.at(-1).slice(0, READ_OUT);
    this.#unread = [];
    return count === 1 ? text : say("newMessages", { messages: messages(count), text });
  }

  #showCursor() {
    const cursor = this.#connection?.cursor;
    if (!cursor || byId("cursor").textContent === cursor) return;
    byId("cursor").textContent = cursor;
    byId("position").hidden = false;
  }

  #offerButtons() {
    const { state } = byId("state").dataset;
    turnOff(byId("connect"), this.#isFollowed() && ["connecting", "open"].includes(state));
    turnOff(byId("disconnect"), state === "closed");
  }

  /** A closed service is opened by a token, which the browser sends by itself once it is a cookie of this site. */
  askForToken(status) {
    if (status === 401) byId("token-part").hidden = byId("to-token").hidden = false;
  }

  /** Keeps the token that was filled in, and says whether it can be one. */
  #keepToken() {
    const token = byId("token").value.trim();
    if (!token) return true;
    if (!/^[\w.-]+$/.test(token)) {
      write(byId("connection-error"), "badToken");
      return false;
    }
    const secure = location.protocol === "https:" ? "; Secure" : "";
    document.cookie = `push_token=${token}; Path=${this.#base.pathname}; SameSite=Strict${secure}`;
    byId("token").value = "";
    byId("to-token").hidden = true;
    return true;
  }
}

function startPublishing(base, feed) {
  onSubmit(byId("publish"), async () => {
    const result = byId("publish-result");
    const topic = byId("publish-topic").value.trim() || "main";
    const event = byId("publish-event").value.trim() || undefined;
    result.classList.remove("error");
    write(result, "publishing");
    try {
      const { id } = await publishText(base, topic, byId("publish-text").value, { event });
      write(result, "published", { id });
    } catch (error) {
      result.classList.add("error");
      write(result, ...publishError(error));
      feed.askForToken(error.status);
    }
  });
}
