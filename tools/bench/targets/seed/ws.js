// WebSocket as in the example, with node's own http in place of a package: what is published is sent to whoever is
// connected. The echo, which the example has, is not measured here. Frames are read as little as that needs.
const crypto = require("node:crypto")
const http = require("node:http")
const publish = require("./publish.js")

const clients = new Set()

// A text of up to 64 KiB as one frame (RFC 6455, section 5.2); a server's frames are not masked.
function frame(text) {
  const payload = Buffer.from(text)
  const head = payload.length < 126 ? [0x81, payload.length] : [0x81, 126, payload.length >> 8, payload.length & 255]
  return Buffer.concat([Buffer.from(head), payload])
}

const server = http.createServer((request, response) =>
  publish(request, response, (text) => {
    const bytes = frame(text)
    for (const client of clients) client.write(bytes)
  }),
)

server.on("upgrade", (request, socket) => {
  const accept = crypto
    .createHash("sha1")
    .update(request.headers["sec-websocket-key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11")
    .digest("base64")
  socket.write(
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
      `Sec-WebSocket-Accept: ${accept}\r\n\r\n`,
  )
  clients.add(socket)
  socket.on("error", () => {})
  socket.on("close", () => clients.delete(socket))
  socket.resume()
})

server.listen(process.argv[2], "127.0.0.1")
