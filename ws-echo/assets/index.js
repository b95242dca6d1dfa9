import { onSubmit } from "./form.js";
import { startPage } from "./page.js";
import { erase, write } from "./text.js";

startPage("ws");

// The echo has a socket of its own, on `/`, opened when the first text is sent.

const answers = document.getElementById("echo-answers");
const error = document.getElementById("echo-error");
const shown = 20;
let echo;

onSubmit(document.getElementById("echo"), () => {
  const text = document.getElementById("echo-text").value;
  erase(error);
  if (echo?.readyState === WebSocket.OPEN) echo.send(text);
  else if (echo?.readyState === WebSocket.CONNECTING) echo.addEventListener("open", () => echo.send(text));
  else openEcho(text);
});

function openEcho(text) {
  const address = new URL("/", location.href);
  address.protocol = address.protocol === "https:" ? "wss:" : "ws:";
  const socket = new WebSocket(address);
  echo = socket;

  socket.addEventListener("open", () => socket.send(text));
  socket.addEventListener("message", ({ data }) => {
    const answer = document.createElement("li");
    answer.textContent = data;
    answers.prepend(answer);
    while (answers.children.length > shown) answers.lastElementChild.remove();
  });
  // "error" comes only for a connection that failed; one that is closed while idle is opened again when needed.
  socket.addEventListener("error", () => {
    write(error, "echoUnreachable");
  });
}
