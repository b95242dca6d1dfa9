// The page of those who run the service: who reads slowly, who has lost messages, and what the history holds.

import { isOff, turnOff } from "./button.js";
import { offerSettings } from "./settings.js";
import { erase, label, language, number, say, translate, write } from "./text.js";

const byId = (id) => document.getElementById(id);

/** The last answer of the service. */
let shown;

/** The columns of numbers, which line up at their ends. */
const NUMBERS = new Set(["debugLag", "debugStalled", "debugAge", "debugHeld", "debugBytes", "debugFollowers"]);

/** The names of the methods. */
const METHODS = { web_sockets: "wsName", long_polling: "pollName", server_sent_events: "sseName" };

/** The time of the day, with the date if that is another one than today's. */
function moment(text) {
  const time = new Date(text);
  const isToday = time.toDateString() === new Date().toDateString();
  return new Intl.DateTimeFormat(language, { dateStyle: isToday ? undefined : "short", timeStyle: "medium" }).format(time);
}

/** A number of bytes, in kB or MB. */
function bytes(count) {
  const [unit, length] = count < 1e6 ? ["kilobyte", 1e3] : ["megabyte", 1e6];
  return new Intl.NumberFormat(language, { style: "unit", unit, maximumFractionDigits: 1 }).format(count / length);
}

const yes = (value) => say(value ? "yes" : "no");

/** The largest two units of a time, such as 2 h 5 min. */
function duration(seconds) {
  const units = [
    [86400, "day"],
    [3600, "hour"],
    [60, "minute"],
    [1, "second"],
  ];
  const first = units.findIndex(([length]) => seconds >= length);
  const shown = units.slice(first === -1 ? 3 : first).slice(0, 2);
  let rest = seconds;
  return shown
    .map(([length, unit]) => {
      const count = Math.floor(rest / length);
      rest %= length;
      return new Intl.NumberFormat(language, { style: "unit", unit, unitDisplay: "narrow" }).format(count);
    })
    .join(" ");
}

function cell(content, name = "td", key = "") {
  const element = document.createElement(name);
  if (name === "th") element.scope = "col";
  element.classList.toggle("number", NUMBERS.has(key));
  element.append(content);
  return element;
}

function row(cells, keys, name) {
  const element = document.createElement("tr");
  element.append(...cells.map((content, column) => cell(content, name, keys[column])));
  return element;
}

/** Fills a table; without rows, it says so. */
function fill(table, heads, rows) {
  if (rows.length === 0) {
    const none = cell(say("debugNone"));
    const only = document.createElement("tr");
    only.append(none);
    table.replaceChildren(only);
    return;
  }
  const head = document.createElement("thead");
  head.append(row(heads.map((key) => say(key)), heads, "th"));
  const body = document.createElement("tbody");
  body.append(...rows.map((cells) => row(cells, heads)));
  table.replaceChildren(head, body);
}

function figures(list) {
  byId("figures").replaceChildren(
    ...list.map(([key, value]) => {
      const name = document.createElement("dt");
      name.textContent = say(key);
      const figure = document.createElement("dd");
      figure.textContent = value;
      const pair = document.createElement("div");
      pair.append(name, figure);
      return pair;
    }),
  );
}

function endButton({ client, address }) {
  const button = document.createElement("button");
  button.type = "button";
  button.dataset.client = client;
  write(button, "debugEnd");
  label(button, "debugEndOf", { address });
  button.addEventListener("click", async () => {
    if (isOff(button)) return;
    turnOff(button, true);
    // A header that no form of another site can send.
    const request = { method: "POST", headers: { "X-Push-Debug": "1" } };
    const response = await fetch(`debug/end?client=${encodeURIComponent(client)}`, request).catch(() => null);
    write(byId("ended"), response?.ok ? "debugEnded" : "debugNotEnded", { address });
    await refresh();
  });
  return button;
}

/** The readers that are behind, or all of the slowest if that is asked for or nobody is behind. */
function readers(slowest) {
  const behind = slowest.filter((client) => client.lag_messages > 0 || client.stalled_seconds > 0);
  const others = slowest.length - behind.length;
  byId("others").hidden = others === 0 || behind.length === 0;
  write(byId("others-count"), "debugOthers", { count: others });
  return byId("all").checked || behind.length === 0 ? slowest : behind;
}

/** Writes everything anew. A person who is on a button of a client stays there, or in the table if the client is gone. */
function show(news) {
  shown = news;
  const client = document.activeElement?.dataset.client;
  fillPage(news);
  if (!client) return;
  const button = byId("slowest").querySelector(`[data-client="${client}"]`);
  (button ?? byId("slowest").parentElement).focus();
}

function fillPage({ version, transport, uptime_seconds, draining, clients, gaps, history, backplane }) {
  const transportName = () => say(METHODS[transport]);
  write(byId("service"), "debugService", { transport: transportName, version, uptime: () => duration(uptime_seconds) });
  figures([
    ["debugConnected", number(clients.connected)],
    ...(clients.connected > clients.answered
      ? [["debugSilent", number(clients.connected - clients.answered)]]
      : []),
    ...clients.by_age
      .filter((age) => age.clients > 0)
      .map((age) => {
        const under = age.under_seconds;
        return [under === null ? "debugOlder" : `debugUnder${under}`, number(age.clients)];
      }),
    ["debugMessages", number(history.messages)],
    ["debugMemory", `${bytes(history.bytes)} / ${bytes(history.bytes_limit)}`],
    ["debugTopicCount", number(history.topics)],
    ["debugPatternCount", number(history.patterns)],
    ["debugBackplane", say(backplane.up ? "debugUp" : "debugDown")],
    ["debugShared", yes(backplane.shared)],
    ["debugDraining", yes(draining)],
  ]);
  byId("trouble").textContent = backplane.message ?? "";
  fill(
    byId("slowest"),
    ["debugAddress", "debugLag", "debugStalled", "debugAct", "debugSubject", "debugFollows", "debugAge"],
    readers(clients.slowest).map((client) => [
      client.address,
      number(client.lag_messages),
      client.stalled_seconds > 0 ? duration(client.stalled_seconds) : "–",
      endButton(client),
      client.subject ?? "–",
      client.topics.join(" ") || "–",
      duration(client.connected_seconds),
    ]),
  );
  fill(
    byId("gaps"),
    ["debugWhen", "debugAddress", "debugReason", "debugSubject", "debugSince", "debugCursor"],
    gaps.map((gap) => [
      moment(gap.at),
      gap.address || "–",
      say({ expired: "debugExpired", epoch: "debugEpoch", lagged: "debugLagged" }[gap.reason]),
      gap.subject ?? "–",
      gap.since,
      gap.cursor,
    ]),
  );
  fill(
    byId("topics"),
    ["debugTopic", "debugHeld", "debugBytes", "debugFollowers"],
    history.largest.map((topic) => [
      topic.topic,
      number(topic.messages),
      bytes(topic.bytes),
      number(topic.followers),
    ]),
  );
}

async function refresh() {
  turnOff(byId("refresh"), true);
  try {
    const response = await fetch("debug.json", { cache: "no-store", signal: AbortSignal.timeout(10_000) });
    if (response.ok) {
      show(await response.json());
      erase(byId("error"));
    } else {
      write(byId("error"), "debugRefused", { status: `${response.status}` });
    }
  } catch {
    write(byId("error"), "debugUnreachable");
  }
  turnOff(byId("refresh"), false);
}

offerSettings();
translate();
addEventListener("languagechange", () => shown && show(shown));
byId("refresh").addEventListener("click", () => isOff(byId("refresh")) || refresh());
byId("all").addEventListener("change", refresh);
refresh();
