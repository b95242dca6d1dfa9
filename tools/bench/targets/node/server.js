// The three methods with express and ws, each the plain way.
const http = require("node:http")
const express = require("express")
const { WebSocketServer } = require("ws")

if (process.argv[2] === "--version") {
  const version = (name) => `${name} ${require(`${name}/package.json`).version}`
  console.log(`${version("express")}, ${version("ws")}, Node.js ${process.version}`)
  process.exit(0)
}

const HISTORY = 1000
const history = []
let last = 0
const streams = new Set()
const held = new Set()
const feed = new WebSocketServer({ noServer: true })
const echo = new WebSocketServer({ noServer: true })
echo.on("connection", (socket) => socket.on("message", (data, isBinary) => socket.send(data, { binary: isBinary })))

const page = (messages) => ({ messages, cursor: String(last) })

const app = express()
app.post("/messages", express.text({ type: "*/*" }), (request, response) => {
  const message = { id: ++last, text: request.body }
  history.push(message)
  if (history.length > HISTORY) history.shift()
  for (const stream of streams) stream.write(`id: ${message.id}\ndata: ${message.text}\n\n`)
  const text = JSON.stringify(message)
  for (const socket of feed.clients) socket.send(text)
  const waiting = [...held]
  held.clear()
  for (const waits of waiting) waits.json(page([message]))
  response.status(201).json({ id: message.id })
})
app.get("/events", (request, response) => {
  response.writeHead(200, { "Content-Type": "text/event-stream", "Cache-Control": "no-cache" })
  response.flushHeaders()
  streams.add(response)
  response.on("close", () => streams.delete(response))
})
app.get("/poll", (request, response) => {
  const { since, wait } = request.query
  const missed = since === undefined || since === "now" ? [] : history.filter((message) => message.id > Number(since))
  if (missed.length > 0 || wait === "0") return response.json(page(missed))
  held.add(response)
  response.on("close", () => held.delete(response))
})

const server = http.createServer(app)
server.keepAliveTimeout = 120_000
server.on("upgrade", (request, socket, head) => {
  const to = request.url.startsWith("/feed") ? feed : echo
  to.handleUpgrade(request, socket, head, (websocket) => to.emit("connection", websocket))
})
server.listen({ port: Number(process.argv[2]), host: "127.0.0.1", backlog: 4096 })
