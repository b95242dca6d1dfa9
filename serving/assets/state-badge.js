import { erase, write } from "./text.js";

/** Shows a connection's state in an element; returns the function to call with each new one. */
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
    write(label, state === "waiting" ? (cut ? "cut" : "unreachable") : state);
    erase(countdown);
    if (!until) return;
    const count = () => write(countdown, "inSeconds", { n: Math.max(1, Math.ceil((until - Date.now()) / 1000)) });
    count();
    timer = setInterval(count, 250);
  };
}
