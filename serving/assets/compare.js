// `/compare`: the three methods side by side, fed by one publish box.

import { Announcer } from "./announcer.js";
import { Column } from "./column.js";
import { onSubmit, publishError, publishText } from "./form.js";
import { Plots } from "./plots.js";
import { offerSettings } from "./settings.js";
import { erase, say, translate, write } from "./text.js";

const methods = ["ws", "poll", "sse"];

offerSettings();
translate();
const topic = new URLSearchParams(location.search).get("topic") ?? "main";
const columns = [];
const unread = { ws: 0, poll: 0, sse: 0 };
const announcer = new Announcer(document.getElementById("announcements"), readOut);
const plots = new Plots(columns);
start();

async function start() {
  const error = document.getElementById("error");
  const peers = await readPeers().catch(() => null);
  if (!peers) {
    write(error, "noPeers");
    setTimeout(start, 3000);
    return;
  }
  erase(error);
  for (const method of methods) columns.push(makeColumn(method, peers[method]));
  showHistories();
}

async function readPeers() {
  const response = await fetch("assets/peers.json");
  return response.ok ? response.json() : null;
}

function makeColumn(method, base) {
  return new Column(method, base, topic, {
    others: () => columns.filter((column) => column.method !== method),
    onChange: showHistories,
    onDelay: (id, delay) => plots.delay(method, id, delay),
    onMessage() {
      unread[method] += 1;
      announcer.news();
    },
  });
}

/** All three in one sentence: each of them has the same messages. */
function readOut() {
  const text = say("columnsReceived", unread);
  for (const method of methods) unread[method] = 0;
  return text;
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
  element.dataset.count = count;
  if (count === 0) erase(element);
  else write(element, count === 1 ? "oneHistory" : "severalHistories", { n: count });
}

/** Publishes a text, or several together, to each history once. */
function publishToAll(text) {
  const clicked = performance.now();
  for (const sharing of histories()) {
    // Any of them will do; one that cannot be reached would only make the message late.
    const { base, showError } = sharing.find((column) => column.isOpen) ?? sharing[0];
    publishText(base, topic, text).then(
      (answer) => {
        for (const column of sharing) column.showError();
        // The ids are the same in all columns of the history.
        for (const { id, at } of [answer].flat()) {
          for (const column of columns) column.list.sentFromHere(id, { clicked, at });
        }
      },
      (error) => showError(...publishError(error)),
    );
  }
}

const text = () => document.getElementById("publish-text").value;

onSubmit(document.getElementById("publish"), () => publishToAll(text()));

document.getElementById("publish-burst").addEventListener("click", () => {
  publishToAll(Array.from({ length: 10 }, (_, index) => `${text()} ${index + 1}`));
});
