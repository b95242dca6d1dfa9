// Server-Sent Events as in the example: what is published is written to whoever is connected, without an id.
const http = require("node:http")
const publish = require("./publish.js")

const clients = new Set()

http
  .createServer((request, response) => {
    if (request.method === "POST") {
      return publish(request, response, (text) => {
        for (const client of clients) client.write(`data: ${text}\n\n`)
      })
    }
    response.writeHead(200, { "Content-Type": "text/event-stream", "Cache-Control": "no-cache" })
    response.flushHeaders()
    clients.add(response)
    // The example never forgets a client, and writes to those that are gone for ever.
    request.on("close", () => clients.delete(response))
  })
  .listen(process.argv[2], "127.0.0.1")
