// Buttons that copy an id or a cursor.

import { erase, label, say, write } from "./text.js";

/** The milliseconds for which a button says what it has done. */
const SHOWN = 2000;

/** Makes a button that copies the text of an element. */
export function copyButton(source) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "copy";
  const rest = () => {
    write(button, "copy");
    label(button, "copyOf", { text: () => source.textContent });
  };
  rest();
  let timer;
  button.addEventListener("click", async () => {
    const outcome = (await copy(source)) ? "copied" : "selected";
    write(button, outcome);
    label(button, `${outcome}Of`, { text: () => source.textContent });
    report(`${outcome}Of`, { text: source.textContent });
    clearTimeout(timer);
    timer = setTimeout(rest, SHOWN);
  });
  return button;
}

/** Copies the text of an element. Where the page may not do that, the text is selected, for the person to copy. */
async function copy(source) {
  try {
    // Only over HTTPS and on localhost.
    await navigator.clipboard.writeText(source.textContent);
    return true;
  } catch {
    getSelection().selectAllChildren(source);
    return document.execCommand("copy");
  }
}

let region;

/** Tells a screen reader the outcome; for the eye, the button does. */
function report(key, filling) {
  if (!region) {
    region = document.createElement("p");
    region.className = "unseen";
    region.setAttribute("role", "status");
    document.querySelector("main").append(region);
  }
  // The same text twice has to be read out twice.
  erase(region);
  setTimeout(() => {
    region.textContent = say(key, filling);
  }, 100);
}
