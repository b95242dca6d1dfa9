// The three plots of `/compare`: the delay of each message, and bytes and requests per message so far.

import { element } from "./element.js";
import { median } from "./median.js";
import { Plot, SPAN, linear, logarithmic } from "./plot.js";
import { milliseconds, number, say, write } from "./text.js";

/** The milliseconds between two samples, and between two drawings. */
const PERIOD = 1000;
/** The most delays of a method that are drawn: after a burst, dots lie upon each other. */
const DOTS = 300;

const names = { ws: "wsName", poll: "pollName", sse: "sseShort" };
const methods = Object.keys(names);

export class Plots {
  #columns;
  #delays = new Map(methods.map((method) => [method, new Map()]));
  #samples = [];
  #figures = {
    delay: new Figure("delay", "plotDelay", logarithmic, milliseconds, tickOfDelay),
    bytes: new Figure("bytes", "plotBytes", linear, (bytes) => number(Math.round(bytes)), number),
    requests: new Figure("requests", "plotRequests", linear, (requests) => number(Math.round(100 * requests) / 100), number),
  };

  constructor(columns) {
    this.#columns = columns;
    setInterval(() => this.#tick(), PERIOD);
    addEventListener("languagechange", () => this.#draw());
    document.addEventListener("visibilitychange", () => this.#draw());
    this.#draw();
  }

  /** A message took so long. The delay of one that was published from here is said once more, and better, when that is known. */
  delay(method, id, delay) {
    const delays = this.#delays.get(method);
    delays.set(id, { delay, at: delays.get(id)?.at ?? performance.now() });
    if (delays.size > DOTS) delays.delete(delays.keys().next().value);
  }

  #tick() {
    const at = performance.now();
    const totals = Object.fromEntries(this.#columns.map(({ method, totals }) => [method, totals]));
    this.#samples.push({ at, totals });
    while (at - this.#samples[0].at > SPAN) this.#samples.shift();
    this.#draw();
  }

  #draw() {
    // Nobody sees it.
    if (document.hidden) return;
    const now = performance.now();
    const delays = this.#series((method) =>
      [...this.#delays.get(method).values()]
        .filter(({ at, delay }) => now - at <= SPAN && delay >= 0)
        .map(({ at, delay }) => [now - at, delay]),
    );
    this.#figures.delay.show(delays, false, (points) => median(points.map(([, value]) => value)));
    for (const what of ["bytes", "requests"]) {
      const perMessage = this.#series((method) =>
        this.#samples
          .filter(({ totals }) => totals[method]?.messages)
          .map(({ at, totals }) => [now - at, totals[method][what] / totals[method].messages]),
      );
      this.#figures[what].show(perMessage, true, (points) => points.at(-1)[1]);
    }
  }

  #series(pointsOf) {
    return Object.fromEntries(methods.map((method) => [method, pointsOf(method)]));
  }
}

/** A plot with its title, and below it what each method has now. */
class Figure {
  #title;
  #plot;
  #spell;
  #tick;
  #numbers = new Map();

  constructor(id, title, scale, spell, tick) {
    this.#title = title;
    this.#plot = new Plot(scale);
    this.#spell = spell;
    this.#tick = tick;
    const caption = element("figcaption");
    // The name of the picture says the same, to those who do not see it.
    const legend = element("p", "legend");
    legend.setAttribute("aria-hidden", "true");
    for (const method of methods) legend.append(this.#entry(method));
    document.getElementById(`plot-${id}`).append(caption, this.#plot.element, legend);
    write(caption, title);
  }

  /** `numberOf` returns the number that stands for the points of a series. */
  show(series, isLine, numberOf) {
    const words = { tick: this.#tick, ago: say("plotAgo"), now: say("plotNow") };
    this.#plot.draw(series, { isLine, words });
    const numbers = {};
    for (const [method, points] of Object.entries(series)) {
      numbers[method] = points.length ? this.#spell(numberOf(points)) : say("plotNone");
      this.#numbers.get(method).textContent = numbers[method];
    }
    this.#plot.name = say("plotOf", { title: () => say(this.#title), ...numbers });
  }

  #entry(method) {
    const entry = element("span", "entry");
    entry.dataset.method = method;
    const name = element("span");
    write(name, names[method]);
    const value = element("b");
    this.#numbers.set(method, value);
    entry.append(name, " ", value);
    return entry;
  }
}

const tickOfDelay = (value) => (value < 1000 ? `${value} ms` : `${value / 1000} s`);
