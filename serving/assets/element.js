/** Makes an element with a class and a text. */
export function element(name, className, text = "") {
  const result = document.createElement(name);
  if (className) result.className = className;
  result.textContent = text;
  return result;
}
