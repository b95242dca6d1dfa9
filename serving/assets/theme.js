// Runs before anything is painted, so that a page never shows the other theme first. It is no module: those run too late for that.
try {
  const theme = localStorage.getItem("push.theme");
  if (["light", "dark"].includes(theme)) document.documentElement.dataset.theme = theme;
} catch {
  // A browser that keeps nothing shows the theme of the system.
}
