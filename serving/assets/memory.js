// The choices of a person, kept by the browser for the pages of this origin. A browser that keeps nothing forgets them with the page.

const PREFIX = "push.";

/** Returns the text that was remembered under this name, or null. */
export function recall(name) {
  try {
    return localStorage.getItem(PREFIX + name);
  } catch {
    return null;
  }
}

/** Remembers a text; null forgets it. */
export function remember(name, text) {
  try {
    if (text === null) localStorage.removeItem(PREFIX + name);
    else localStorage.setItem(PREFIX + name, text);
  } catch {
    // The choice holds for this page.
  }
}
