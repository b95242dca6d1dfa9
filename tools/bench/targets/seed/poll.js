// Long polling as in the example: one queue for all clients. A message that is queued is taken by the next who asks, and
// reaches nobody else; those who wait are all answered with the next message.
//
// The example ends with the first message: it looks for the waiting responses in app.get("/poll").response, which
// is undefined, so its timer throws. It also answers those who wait with a head that says text/plain before it knows what
// to send. Both are mended here, by a list of those who wait.
const http = require("node:http")
const publish = require("./publish.js")

const messages = []
let waiting = []

http
  .createServer((request, response) => {
    if (request.method === "POST") {
      return publish(request, response, (text) => {
        if (waiting.length === 0) return messages.push(text)
        for (const held of waiting.splice(0)) held.end(text)
      })
    }
    if (messages.length > 0) return response.end(messages.shift())
    waiting.push(response)
    response.on("close", () => (waiting = waiting.filter((held) => held !== response)))
  })
  .listen(process.argv[2], "127.0.0.1")
