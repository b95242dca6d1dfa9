// The switches of language and theme, on every page.

import { remember } from "./memory.js";
import { chooseLanguage, label, language, write } from "./text.js";

const SYSTEM = "system";

/** Makes the switches in the element `settings`. */
export function offerSettings() {
  const { theme } = document.documentElement.dataset;
  document.getElementById("settings").append(
    choice("language", { "zh-CN": "中文", en: "English" }, language, chooseLanguage),
    choice("theme", { [SYSTEM]: "themeSystem", light: "themeLight", dark: "themeDark" }, theme ?? SYSTEM, chooseTheme),
  );
}

/** theme.js reads what is remembered here. */
function chooseTheme(theme) {
  const isSystem = theme === SYSTEM;
  remember("theme", isSystem ? null : theme);
  if (isSystem) delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
}

function choice(name, options, chosen, choose) {
  const select = document.createElement("select");
  select.id = name;
  label(select, name);
  for (const [value, text] of Object.entries(options)) {
    const option = document.createElement("option");
    option.value = value;
    option.selected = value === chosen;
    // A language is named in itself.
    if (name === "language") Object.assign(option, { lang: value, textContent: text });
    else write(option, text);
    select.append(option);
  }
  select.addEventListener("change", () => choose(select.value));
  return select;
}
