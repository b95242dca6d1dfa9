import { isOff, turnOff } from "./button.js";
import { messages, write } from "./text.js";

/** Has a button add the messages from before the earliest one that a list shows. `history` returns the history that the list is of. */
export function offerEarlier({ button, result, list, history }) {
  button.addEventListener("click", async () => {
    if (isOff(button)) return;
    turnOff(button, true);
    try {
      const source = history();
      const before = list.earliest;
      const { messages: found, start } = await source.before(before);
      // Another topic may have been chosen meanwhile, or a message have come into an empty list.
      if (source !== history() || before !== list.earliest) return;
      list.addEarlier(found);
      const id = list.earliest;
      if (!start) write(result, "earlierAdded", { messages: messages(found.length) });
      else if (id) write(result, start === "cut" ? "historyCut" : "historyBegins", { id });
      else write(result, "historyEmpty");
    } catch {
      write(result, "earlierFailed");
    } finally {
      turnOff(button, false);
    }
  });
}
