// A feed with uWebSockets.js's own publish(), and an echo.
function load() {
  try {
    return ["uWebSockets.js", require("uWebSockets.js")]
  } catch (error) {
    if (error.code !== "MODULE_NOT_FOUND") throw error
    return ["@btc-vision/uwebsockets.js", require("@btc-vision/uwebsockets.js")]
  }
}

const [name, uWS] = load()
if (process.argv[2] === "--version") {
  // Not every version of the package lets its package.json be required.
  const path = require("node:path").join(__dirname, "node_modules", name, "package.json")
  const { version } = JSON.parse(require("node:fs").readFileSync(path, "utf8"))
  console.log(`${name} ${version}, Node.js ${process.version}`)
  process.exit(0)
}

// Nothing is dropped and nobody is cut off for being slow: what is measured must arrive.
const options = { compression: uWS.DISABLED, maxBackpressure: 0, idleTimeout: 120 }
const app = uWS.App()
app.ws("/feed", { ...options, open: (ws) => ws.subscribe("all") })
app.ws("/", { ...options, message: (ws, message, isBinary) => ws.send(message, isBinary) })
app.post("/messages", (response) => {
  let body = Buffer.alloc(0)
  response.onAborted(() => {})
  response.onData((part, last) => {
    // The part is only lent.
    if (!last) return (body = Buffer.concat([body, Buffer.from(part)]))
    app.publish("all", body.length === 0 ? part : Buffer.concat([body, Buffer.from(part)]), false)
    response.writeStatus("201 Created").end()
  })
})
app.listen("127.0.0.1", Number(process.argv[2]), (socket) => {
  if (!socket) throw new Error(`cannot listen on ${process.argv[2]}`)
})
