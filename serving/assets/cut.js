import { isOff, turnOff } from "./button.js";
import { erase, messages, milliseconds, write } from "./text.js";

/** The milliseconds for which the network is cut. */
const CUT_FOR = 5000;

/** A button that cuts the network to a service, and what is said of how the page catches up. */
export class CutButton {
  #options;
  #isCut = false;
  #isOpen = false;
  /** The messages that have come since the network is back, with the time of each. */
  #arrived;
  #hasGap;
  #missed;
  #backAt;

  /**
   * `button`, `countdown` and `result` are elements, `network` is what is cut, `cursor()` the position, `history()` what there is to
   * catch up with, `others()` the number of messages that others have received (if there are any), `prepare()` comes before the cut,
   * which there is none of unless it resolves to true.
   */
  constructor(options) {
    this.#options = options;
    options.button.addEventListener("click", () => isOff(options.button) || this.#cut());
    this.#offer();
  }

  /** Only what is connected can be cut. */
  set isOpen(isOpen) {
    this.#isOpen = isOpen;
    this.#offer();
  }

  received(id) {
    this.#arrived?.push({ id, at: performance.now() });
    this.#judge();
  }

  gap() {
    this.#hasGap = true;
    this.#judge();
  }

  #offer() {
    turnOff(this.#options.button, this.#isCut || !this.#isOpen);
  }

  async #cut() {
    const { countdown, cursor, history, network, prepare, result } = this.#options;
    this.#isCut = true;
    this.#arrived = undefined;
    this.#offer();
    if (prepare && !(await prepare())) {
      this.#isCut = false;
      return this.#offer();
    }
    const since = cursor();
    write(result, "networkIsCut");
    const timer = this.#countDown();
    await network.cut(CUT_FOR);
    this.#backAt = performance.now();
    clearInterval(timer);
    erase(countdown);
    this.#isCut = false;
    this.#hasGap = false;
    this.#arrived = [];
    this.#missed = undefined;
    this.#offer();
    write(result, "catchingUp");
    try {
      this.#missed = await history().after(since);
      this.#judge();
    } catch {
      this.#end("missedUnknown");
    }
  }

  /** The countdown is for the eye alone: a screen reader would have to read out every second of it. */
  #countDown() {
    const { countdown, others = () => 0 } = this.#options;
    const [until, before] = [performance.now() + CUT_FOR, others()];
    const count = () => {
      const n = Math.max(1, Math.ceil((until - performance.now()) / 1000));
      const received = others() - before;
      write(countdown, received > 0 ? "othersReceived" : "backIn", { n, messages: messages(received) });
    };
    count();
    return setInterval(count, 250);
  }

  /** The page has caught up when the last of what it missed is there, or something later. */
  #judge() {
    if (!this.#missed || !this.#arrived) return;
    const { messages: missed, hasGap } = this.#missed;
    const ids = new Set(missed.map(({ id }) => id));
    const caught = this.#arrived.filter(({ id }) => ids.has(id));
    const isLater = caught.length < this.#arrived.length;
    const isDone = ids.size === 0 ? !hasGap || this.#hasGap : caught.at(-1)?.id === missed.at(-1).id;
    if (!isDone && !isLater) return;
    const ms = milliseconds((caught.at(-1)?.at ?? performance.now()) - this.#backAt);
    const key = this.#hasGap ? "caughtUpWithGap" : caught.length > 0 ? "caughtUp" : "nothingMissed";
    this.#end(key, { messages: messages(caught.length), ms });
  }

  #end(key, filling) {
    this.#arrived = undefined;
    write(this.#options.result, key, filling);
  }
}
