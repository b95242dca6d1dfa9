// Added for the measurement: POST /publish hands its body to `deliver`. The examples have a timer there.
module.exports = (request, response, deliver) => {
  let text = ""
  request.setEncoding("utf8")
  request.on("data", (part) => (text += part))
  request.on("end", () => {
    deliver(text)
    response.writeHead(201).end()
  })
}
