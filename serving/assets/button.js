// Buttons that can do nothing just now. They are not `disabled`, since that would take the focus from a person who has just pressed one.

export const isOff = (button) => button.getAttribute("aria-disabled") === "true";

export function turnOff(button, off) {
  button.setAttribute("aria-disabled", off);
}
