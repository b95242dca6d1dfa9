// `/compare`: the three methods side by side, fed by one publish box.

import { subscribe } from "../push.js";
import { MessageList, onSubmit, publishError, publishText, stateBadge } from "./page.js";
import { milliseconds, number, say, translate } from "./text.js";
import { bytesOf } from "./traffic.js";

const methods = ["ws", "poll", "sse"];
const remembered = 1000; // delays, for the median

translate();
const topic = new URLSearchParams(location.search).get("topic") ?? "main";
const columns = [];
start();

async function start() {
  const error = document.getElementById("error");
  const response = await fetch("assets/peers.json").catch(() => null);
  if (!response?.ok) {
    error.textContent = say("noPeers");
    setTimeout(start, 3000);
    return;
  }
  error.textContent = "";
  const peers = await response.json();
  for (const method of methods) columns.push(makeColumn(method, peers[method]));
  showHistories();
}

/** One method's column; it lives and fails apart from the other two. */
function makeColumn(method, base) {
  const section = document.getElementById("method").content.cloneNode(true).firstElementChild;
  const part = (selector) => section.querySelector(selector);
  translate(section);
  section.dataset.method = method;
  section.setAttribute("aria-labelledby", `${method}-name`);
  part("h2").id = `${method}-name`;
  part("h2").textContent = say(`${method}Name`);
  part(".page").href = base;
  document.getElementById("methods").append(section);

  const badge = stateBadge(part(".state"));
  const toggle = part(".toggle");
  const delays = [];
  const list = new MessageList(part(".messages"), { onDelay: addDelay });
  let connection;
  let since;

  function show(selector, value) {
    part(selector).dataset.value = value;
    part(selector).textContent = number(value);
  }

  const add = (selector, value) => show(selector, Number(part(selector).dataset.value) + value);

  function addDelay(delay) {
    delays.push(delay);
    if (delays.length > remembered) delays.shift();
    const middle = median(delays);
    part(".delay").dataset.last = Math.round(delay);
    part(".delay").dataset.median = Math.round(middle);
    part(".delay").textContent = `${number(Math.round(delay))} / ${milliseconds(middle)}`;
  }

  function open() {
    connection = subscribe({
      [method]: base,
      topics: topic,
      since,
      // This page counts what it needs.
      share: false,
      onState(state, { error, ...detail }) {
        const isRefused = state === "refused";
        const shown = isRefused ? "closed" : state;
        section.dataset.state = shown;
        badge(shown, detail);
        toggle.textContent = say(shown === "closed" ? "connect" : "disconnect");
        if (isRefused) {
          part(".error").textContent = error.message;
          close();
        }
        showHistories();
      },
      onMessage(message) {
        if (list.add(message)) add(".count", 1);
      },
      onGap(gap) {
        list.addGap(gap);
        showHistories();
      },
      onTrace(what, value) {
        if (what === "request") add(".requests", 1);
        else add(".bytes", bytesOf[method](value));
      },
    });
  }

  function close() {
    since = connection.cursor;
    connection.close();
    connection = undefined;
  }

  toggle.addEventListener("click", () => (connection ? close() : open()));
  open();

  return {
    base,
    list,
    get isOpen() {
      return section.dataset.state === "open";
    },
    /** The history in which this service was when it last said so. */
    get epoch() {
      return (connection?.cursor ?? since)?.match(/^(.+)-\d+$/)?.[1];
    },
    showError: (text) => {
      part(".error").textContent = text;
    },
  };
}

function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** The columns, together where their services share a history. Where that is not known, a service counts as one alone. */
function histories() {
  const sharing = new Map();
  for (const column of columns) {
    const history = column.epoch ?? column;
    sharing.set(history, [...(sharing.get(history) ?? []), column]);
  }
  return [...sharing.values()];
}

/** Says whether the services share a history, once all of them have said which one they have. */
function showHistories() {
  const element = document.getElementById("histories");
  const isKnown = columns.length === methods.length && columns.every((column) => column.epoch);
  const count = isKnown ? histories().length : 0;
  const text = { 0: "", 1: say("oneHistory") }[count] ?? say("severalHistories", { n: count });
  element.dataset.count = count;
  // Written only where it changes, since a screen reader reads it out.
  if (element.textContent !== text) element.textContent = text;
}

/** Publishes a text, or several together, to each history once. */
function publishToAll(text) {
  const clicked = performance.now();
  for (const sharing of histories()) {
    // Any of them will do; one that cannot be reached would only make the message late.
    const { base, showError } = sharing.find((column) => column.isOpen) ?? sharing[0];
    publishText(base, topic, text).then(
      (answer) => {
        for (const column of sharing) column.showError("");
        // The ids are the same in all columns of the history.
        for (const { id, at } of [answer].flat()) {
          for (const column of columns) column.list.sentFromHere(id, { clicked, at });
        }
      },
      (error) => showError(publishError(error)),
    );
  }
}

const text = () => document.getElementById("publish-text").value;

onSubmit(document.getElementById("publish"), () => publishToAll(text()));

document.getElementById("publish-burst").addEventListener("click", () => {
  publishToAll(Array.from({ length: 10 }, (_, index) => `${text()} ${index + 1}`));
});
