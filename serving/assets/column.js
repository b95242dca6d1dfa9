// One method's column on `/compare`. It lives and fails apart from the other two.

import { subscribe } from "../push.js";
import { copyButton } from "./copy.js";
import { CutButton } from "./cut.js";
import { offerEarlier } from "./earlier.js";
import { History } from "./history.js";
import { median } from "./median.js";
import { MessageList } from "./message-list.js";
import { networkTo } from "./network.js";
import { stateBadge } from "./state-badge.js";
import { erase, label, milliseconds, number, say, translate, write } from "./text.js";
import { bytesOf } from "./traffic.js";

/** The number of delays of which the median is shown. */
const REMEMBERED = 1000;

/** The routes by which the methods follow. */
const ROUTES = { ws: "feed", poll: "poll", sse: "events" };

export class Column {
  #section = document.getElementById("method").content.cloneNode(true).firstElementChild;
  #topic;
  #listener;
  #badge;
  #cut;
  #delays = [];
  #connection;
  #since;

  /** The listener has `onChange`, `onDelay`, `onMessage`, and `others`, which returns the other columns. */
  constructor(method, base, topic, listener) {
    this.method = method;
    this.base = base;
    this.#topic = topic;
    this.#listener = listener;
    this.#build();
    const history = new History(base, [topic]);
    this.list = new MessageList(this.#part(".messages"), { onDelay: (...delay) => this.#onDelay(...delay) });
    this.#cut = new CutButton({
      button: this.#part(".cut"),
      countdown: this.#part(".cut-countdown"),
      result: this.#part(".cut-result"),
      network: networkTo(base, ROUTES[method]),
      cursor: () => this.#cursor,
      history: () => history,
      others: () => Math.max(...listener.others().map(({ totals }) => totals.messages)),
    });
    offerEarlier({
      button: this.#part(".earlier"),
      result: this.#part(".earlier-result"),
      list: this.list,
      history: () => history,
    });
    this.#open();
  }

  /** The numbers of messages, requests and bytes so far. */
  get totals() {
    const [messages, requests, bytes] = [".count", ".requests", ".bytes"].map((name) => this.#value(name));
    return { messages, requests, bytes };
  }

  get isOpen() {
    return this.#section.dataset.state === "open";
  }

  /** The history in which this service was when it last said so. */
  get epoch() {
    return this.#cursor?.match(/^(.+)-\d+$/)?.[1];
  }

  /** Shows the text of an error, or none. */
  showError = (key, filling) => {
    if (key) write(this.#part(".error"), key, filling);
    else erase(this.#part(".error"));
  };

  get #cursor() {
    return this.#connection?.cursor ?? this.#since;
  }

  #part(selector) {
    return this.#section.querySelector(selector);
  }

  #build() {
    translate(this.#section);
    this.#section.dataset.method = this.method;
    this.#section.setAttribute("aria-labelledby", `${this.method}-name`);
    this.#part("h2").id = `${this.method}-name`;
    write(this.#part("h2"), `${this.method}Name`);
    this.#part(".page").href = this.base;
    label(this.#part(".log"), "messagesOf", { name: () => say(`${this.method}Name`) });
    this.#part(".position").append(copyButton(this.#part(".cursor")));
    this.#part(".toggle").addEventListener("click", () => (this.#connection ? this.#close() : this.#open()));
    this.#badge = stateBadge(this.#part(".state"));
    document.getElementById("methods").append(this.#section);
    // Messages of other topics move it on too.
    setInterval(() => this.#showCursor(), 1000);
  }

  #open() {
    this.#connection = subscribe({
      [this.method]: this.base,
      topics: this.#topic,
      since: this.#since,
      // This page counts what it needs.
      share: false,
      onState: (...change) => this.#onState(...change),
      onMessage: (message) => this.#onMessage(message),
      onGap: (gap) => this.#onGap(gap),
      onTrace: (what, value) => {
        if (what === "request") this.#add(".requests", 1);
        else this.#add(".bytes", bytesOf[this.method](value));
      },
    });
  }

  #close() {
    this.#since = this.#cursor;
    this.#connection.close();
    this.#connection = undefined;
  }

  #onState(state, { error, ...detail }) {
    const isRefused = state === "refused";
    const shown = isRefused ? "closed" : state;
    this.#section.dataset.state = shown;
    this.#badge(shown, detail);
    write(this.#part(".toggle"), shown === "closed" ? "connect" : "disconnect");
    this.#cut.isOpen = this.isOpen;
    if (isRefused) {
      erase(this.#part(".error"));
      this.#part(".error").textContent = error.message;
      this.#close();
    }
    this.#showCursor();
    this.#listener.onChange();
  }

  #onMessage(message) {
    if (!this.list.add(message)) return;
    this.#add(".count", 1);
    this.#showCursor();
    this.#cut.received(message.id);
    this.#listener.onMessage();
  }

  #onGap(gap) {
    this.list.addGap(gap);
    this.#showCursor();
    this.#cut.gap();
    this.#listener.onChange();
  }

  #onDelay(id, delay, isFromHere) {
    this.#listener.onDelay(id, delay);
    if (!isFromHere) return;
    this.#delays.push(delay);
    if (this.#delays.length > REMEMBERED) this.#delays.shift();
    const middle = median(this.#delays);
    const shown = this.#part(".numbers .delay");
    shown.dataset.last = Math.round(delay);
    shown.dataset.median = Math.round(middle);
    shown.textContent = `${number(Math.round(delay))} / ${milliseconds(middle)}`;
  }

  #showCursor() {
    const cursor = this.#cursor;
    if (!cursor || this.#part(".cursor").textContent === cursor) return;
    this.#part(".cursor").textContent = cursor;
    this.#part(".position").hidden = false;
  }

  #value(name) {
    return Number(this.#part(name).dataset.value);
  }

  #add(name, value) {
    const sum = this.#value(name) + value;
    this.#part(name).dataset.value = sum;
    this.#part(name).textContent = number(sum);
  }
}
