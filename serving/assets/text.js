// The pages' texts: which language they are in, and how numbers and times are written.
//
// An element with data-text="key" has that text; with data-text-label and -value its aria-label and first value.
// `{name}` is filled in; what is between backticks becomes <code>. When another language is chosen, every one of them is written anew,
// in place, and the window gets a `languagechange` for what is drawn.

import { recall, remember } from "./memory.js";
import { chinese } from "./words-chinese.js";
import { english } from "./words-english.js";

const WORDS = { "zh-CN": chinese, en: english };

/** The values that are filled in, by the element. */
const values = new WeakMap();
const labelValues = new WeakMap();
/** The first values that were written into fields. */
const firstValues = new WeakMap();

/** The tag for `lang` attributes and Intl: of the language that was chosen, or else of the first that the browser names. */
export let language = preferred();
let formats = formatsOf(language);

function preferred() {
  const chosen = recall("language");
  if (Object.hasOwn(WORDS, chosen)) return chosen;
  const tag = navigator.languages.find((tag) => /^(zh|en)\b/i.test(tag)) ?? "en";
  return /^zh/i.test(tag) ? "zh-CN" : "en";
}

function formatsOf(language) {
  const time = { hour: "2-digit", minute: "2-digit", second: "2-digit", fractionalSecondDigits: 3, hourCycle: "h23" };
  return { time: new Intl.DateTimeFormat(language, time), number: new Intl.NumberFormat(language) };
}

/** Changes the language of the page, and of those that are opened later. */
export function chooseLanguage(tag) {
  remember("language", tag);
  language = tag;
  formats = formatsOf(tag);
  translate();
  dispatchEvent(new Event("languagechange"));
}

export const clockTime = (date) => formats.time.format(date);
export const number = (value) => formats.number.format(value);

/** A delay. */
export const milliseconds = (value) => `${number(Math.round(value))} ms`;

/** So many messages, as a value to fill in. */
export const messages = (count) => () => say(count === 1 ? "oneMessage" : "someMessages", { n: count });

/** A text. The values that are filled in are texts, numbers, and functions of no argument that return a text. */
export const say = (key, filling) => fill(WORDS[language][key], filling);

function fill(text, filling = {}) {
  return text.replace(/\{(\w+)\}/g, (_, name) => {
    const value = filling[name];
    if (typeof value === "function") return value();
    return typeof value === "number" ? number(value) : value;
  });
}

/** Gives an element a text, in this language and in one that is chosen later. */
export function write(element, key, filling) {
  element.dataset.text = key;
  values.set(element, filling);
  const pieces = WORDS[language][key].split("`").map((piece) => fill(piece, filling));
  // A screen reader would read out again what is written again.
  if (element.textContent === pieces.join("")) return;
  element.replaceChildren(...pieces.map((piece, index) => (index % 2 === 0 ? piece : code(piece))));
}

/** Takes its text from an element. */
export function erase(element) {
  delete element.dataset.text;
  element.replaceChildren();
}

/** Gives an element a name that is not shown. */
export function label(element, key, filling) {
  element.dataset.textLabel = key;
  labelValues.set(element, filling);
  element.setAttribute("aria-label", say(key, filling));
}

/** Puts the person's language into every marked element below `root`. */
export function translate(root = document) {
  if (root === document) document.documentElement.lang = language;
  for (const element of root.querySelectorAll("[data-text]")) write(element, element.dataset.text, values.get(element));
  for (const element of root.querySelectorAll("[data-text-label]")) {
    label(element, element.dataset.textLabel, labelValues.get(element));
  }
  for (const element of root.querySelectorAll("[data-text-value]")) writeFirst(element);
}

/** A text that a person has written into a field stays there. */
function writeFirst(field) {
  if (field.value !== (firstValues.get(field) ?? "")) return;
  field.value = say(field.dataset.textValue);
  firstValues.set(field, field.value);
}

function code(text) {
  const element = document.createElement("code");
  element.textContent = text;
  return element;
}
