// A plot of the last minute, with one series per method, drawn by hand as SVG.

/** The milliseconds that are shown. */
export const SPAN = 60_000;

const WIDTH = 340;
const HEIGHT = 130;
const LEFT = 46;
const RIGHT = WIDTH - 10;
const TOP = 10;
const BOTTOM = HEIGHT - 20;

/** A scale from none upwards, to the next round number above the largest value. */
export const linear = {
  ticks(values) {
    const largest = Math.max(...values, 0) || 1;
    const unit = 10 ** Math.floor(Math.log10(largest));
    const top = [1, 2, 5, 10].find((step) => step * unit >= largest) * unit;
    return [0, top / 2, top];
  },
  place: (value, ticks) => value / ticks.at(-1),
};

/** A scale of delays from 1 ms to 10 s, on which each step is ten times the one before. */
export const logarithmic = {
  ticks: () => [1, 10, 100, 1000, 10_000],
  place: (value, ticks) => Math.log10(Math.max(1, value)) / (ticks.length - 1),
};

export class Plot {
  #svg = make("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img" });
  #grid = make("g", { class: "grid" });
  #series = make("g");
  #scale;
  #drawn = "";

  constructor(scale) {
    this.#scale = scale;
    this.#svg.append(this.#grid, this.#series);
  }

  get element() {
    return this.#svg;
  }

  /** Names the plot, with its numbers, for those who do not see it. */
  set name(name) {
    this.#svg.setAttribute("aria-label", name);
  }

  /**
   * Draws the series, `{ method: [[age in milliseconds, value], …] }`, the oldest first: as a line that stays at each value until the next, or as
   * dots. `words` has the texts of the axes: `tick(value)`, `ago`, `now`.
   */
  draw(series, { isLine, words }) {
    const values = Object.values(series).flatMap((points) => points.map(([, value]) => value));
    const ticks = this.#scale.ticks(values);
    const y = (value) => round(BOTTOM - Math.min(1, this.#scale.place(value, ticks)) * (BOTTOM - TOP));
    this.#drawGrid(ticks, y, words);
    this.#series.replaceChildren(
      ...Object.entries(series).flatMap(([method, points]) => {
        const places = points.map(([age, value]) => [x(age), y(value)]);
        if (!isLine) return [make("path", { "data-method": method, d: places.map(mark[method]).join("") })];
        return [
          make("path", { "data-method": method, class: "line", d: line(places) }),
          make("path", { "data-method": method, d: places.slice(-1).map(mark[method]).join("") }),
        ];
      }),
    );
  }

  #drawGrid(ticks, y, { tick, ago, now }) {
    const texts = [...ticks.map(tick), ago, now];
    // The grid seldom changes.
    if (this.#drawn === texts.join()) return;
    this.#drawn = texts.join();
    const write = (text, attributes) => Object.assign(make("text", attributes), { textContent: text });
    this.#grid.replaceChildren(
      make("path", { d: ticks.map((value) => `M${LEFT} ${y(value)}H${RIGHT}`).join("") }),
      ...ticks.map((value) => write(tick(value), { x: LEFT - 6, y: y(value) + 4, "text-anchor": "end" })),
      write(ago, { x: LEFT, y: HEIGHT - 4 }),
      write(now, { x: RIGHT, y: HEIGHT - 4, "text-anchor": "end" }),
    );
  }
}

/** One mark per method, so that they differ by more than their colours: a disc, a square, a cross. */
const mark = {
  ws: ([x, y]) => `M${x - 3} ${y}a3 3 0 1 0 6 0a3 3 0 1 0-6 0z`,
  poll: ([x, y]) => `M${round(x - 2.5)} ${round(y - 2.5)}h5v5h-5z`,
  sse: ([x, y]) => `M${x - 3} ${y - 1}h2v-2h2v2h2v2h-2v2h-2v-2h-2z`,
};

const round = (value) => Math.round(10 * value) / 10;
const x = (age) => round(LEFT + Math.max(0, 1 - age / SPAN) * (RIGHT - LEFT));
const line = (places) => places.map(([x, y], index) => (index === 0 ? `M${x} ${y}` : `H${x}V${y}`)).join("");

function make(name, attributes = {}) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
}
