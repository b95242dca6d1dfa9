// The pages' words in Chinese and English, and how numbers and times are written.
//
// An element with data-text="key" gets that text; data-text-label, -placeholder and -value set its
// aria-label, placeholder and first value. `{name}` is filled in; what is between backticks becomes <code>.

const chinese = {
  compareLink: "三种方法并排比较",
  noPeers: "读不到三个服务的地址，稍后再试。",

  wsName: "WebSocket",
  pollName: "长轮询",
  sseName: "服务器发送事件（SSE）",
  wsIntro: "一条连接，双向实时通信：服务器推送，客户端也随时可以发送。",
  pollIntro: "客户端发起请求，没有新消息时服务器保持连接；一有消息立即回应，客户端再发起下一个请求。",
  sseIntro: "客户端建立一个持久的 HTTP 连接，服务器随时沿着它发送事件。",

  connection: "连接",
  topics: "订阅的话题",
  topicsHint: "可写多个，用空格隔开；`orders.*` 匹配一级，`orders.>` 匹配其余各级。",
  token: "令牌",
  tokenHint: "此服务需要令牌。令牌保存在本站的 cookie `push_token` 中，关闭浏览器后失效。",
  badToken: "令牌由字母、数字和 `-_.` 组成。",
  connect: "连接",
  disconnect: "断开",

  connecting: "正在连接",
  open: "已连接",
  closed: "未连接",
  cut: "连接中断，等待重连",
  unreachable: "无法连接，等待重试",
  inSeconds: "（{n} 秒后）",

  publish: "发布消息",
  publishText: "内容",
  publishTopic: "话题",
  publishEvent: "事件（可不填）",
  publishSend: "发布",
  publishBurst: "连发 10 条",
  publishFirst: "你好，各位订阅者！",
  publishing: "正在发布…",
  published: "已发布，编号 {id}",
  publishUnreachable: "服务器没有回应，不知道消息是否已发布。",
  publishRefused: "没有发布成功：{message}",

  echo: "回声",
  echoHint: "发到 `/` 的每条文字，服务器都会回应。",
  echoText: "发给服务器的话",
  echoSend: "发送",
  echoAnswers: "服务器的回应",
  echoUnreachable: "连不上服务器，这句话没有发出。",

  messages: "消息",
  noMessages: "还没有消息。连接后，新消息会出现在这里，最新的在最上面。",
  publishedAt: "发布于",
  arrivedAt: "到达于",
  delay: "延迟 {ms}",
  topicOf: "话题 {topic}",
  eventOf: "事件 {event}",
  gap: "消息有缺口",
  gapExpired: "服务器保留的历史已经不够长：{since} 之后的一部分消息已被清除，无法补发。",
  gapEpoch: "服务器的历史已换成新的一份（例如重启过）：{since} 之后可能有消息没有收到。",
  gapLagged: "本页接收得太慢，服务器跳过了 {since} 之后的一部分消息。",

  terminal: "在终端里试试",
  curlPublish: "发布一条消息",
  curlHistory: "翻看历史",
  curlWait: "等下一条消息（不带位置，大家共用一个队列）",
  curlSince: "从最早的位置开始，不丢消息；把回答里的 `cursor` 用作下一次的 `since`",
  curlEvents: "看着事件到来",
  curlResume: "从仍保留的最早一条看起",
  curlFeed: "看着消息到来（用 `websocat`）",
  curlEcho: "回声（用 `websocat`）",

  compareTitle: "三种推送方法并排比较",
  compareIntro: "同一条消息，三个服务：看它们各自怎样送到这个页面。",
  oneHistory: "三个服务共用一份历史：每条消息只发布一次，三列都会收到。",
  severalHistories: "三个服务有 {n} 份历史：每条消息在每份历史里各发布一次。",
  count: "消息数",
  delayShort: "延迟（最近 / 中位）",
  requests: "请求数",
  bytes: "收到的字节",
  openPage: "打开它的页面",
  howCounted: "数字是怎样算的",
  noteDelay: "消息数旁的延迟只统计从本页发布的消息：从按下按钮到消息到达，三种方法用同一个时钟；第一次还含建立连接和跨域预检。其他消息的延迟是到达时间减去发布时间，受两边时钟差影响。",
  noteRequests: "请求数：WebSocket 与 SSE 每建立一次连接算一次；长轮询每次询问算一次。未计入 SSE 开始前询问起始位置的一个短请求。",
  noteBytes: "字节：WebSocket 是内容加帧头（2、4 或 10 字节）；长轮询是状态行、脚本能看到的响应头和正文；SSE 是事件的各个字段，加上分块的长度。",
  noteNotBytes: "未计入：WebSocket 与 SSE 应答的头部、心跳、客户端发出的内容，以及 TCP、TLS 和压缩。",
  noteShared: "三个服务若共用一份历史（一个文件或 NATS），一条消息只发布给其中一个服务，三列编号相同；否则各有各的历史，三个服务各发布一次。",

  yes: "是",
  no: "否",
  debugTitle: "运行状况",
  debugMetrics: "全部指标（Prometheus）",
  debugService: "{transport}，版本 {version}，已运行 {uptime}",
  debugNow: "现在",
  debugRefresh: "刷新",
  debugUnreachable: "服务器没有回应，稍后再试。",
  debugNone: "没有",
  debugConnected: "已连接的客户端",
  debugSilent: "其中没有应答的（HTTP/2 上什么也不接收的）",
  debugUnder10: "连接不到 10 秒",
  debugUnder60: "连接 10 秒至 1 分钟",
  debugUnder600: "连接 1 至 10 分钟",
  debugUnder3600: "连接 10 分钟至 1 小时",
  debugUnder86400: "连接 1 小时至 1 天",
  debugOlder: "连接 1 天以上",
  debugMessages: "内存中的消息",
  debugMemory: "历史占用的内存 / 上限",
  debugTopicCount: "话题",
  debugPatternCount: "通配模式",
  debugBackplane: "消息底层",
  debugUp: "正常",
  debugDown: "不正常",
  debugShared: "历史与其他进程共用",
  debugDraining: "正在停止",
  debugSlowest: "最慢的读者",
  debugSlowestHint: "按未读的消息数排列。“停滞”是客户端多久没有接收任何数据。结束一个客户端会切断它的连接，它可以凭自己的位置回来。",
  debugAddress: "地址",
  debugSubject: "令牌主体",
  debugFollows: "订阅",
  debugLag: "未读",
  debugStalled: "停滞",
  debugAge: "已连接",
  debugAct: "操作",
  debugEnd: "结束",
  debugEndOf: "结束 {address}",
  debugEnded: "{address} 已被结束。",
  debugNotEnded: "{address} 没有被结束，可能已经离开。",
  debugOthers: "也显示已读到最新消息的（{count}）",
  debugGaps: "最近的缺口",
  debugGapsHint: "被告知缺口的客户端没有收到 `since` 与 `cursor` 之间的消息。",
  debugWhen: "时间",
  debugReason: "原因",
  debugSince: "since",
  debugCursor: "cursor",
  debugExpired: "回来得太晚，历史已不够长",
  debugEpoch: "来自另一份历史",
  debugLagged: "读得太慢",
  debugTopics: "占用内存最多的话题",
  debugTopic: "话题",
  debugHeld: "消息",
  debugBytes: "字节",
  debugFollowers: "订阅者",
};

const english = {
  compareLink: "Compare the three methods",
  noPeers: "The addresses of the three services could not be read; trying again shortly.",

  wsName: "WebSocket",
  pollName: "Long polling",
  sseName: "Server-Sent Events (SSE)",
  wsIntro: "One connection, real-time in both directions: the server pushes, and the client can send at any time.",
  pollIntro: "The client asks; with nothing new, the server holds the request. The next message answers it at once, and the client asks again.",
  sseIntro: "The client opens one lasting HTTP connection, and the server sends events along it at any time.",

  connection: "Connection",
  topics: "Topics to follow",
  topicsHint: "Several are separated by spaces. `orders.*` matches one level, `orders.>` all the rest.",
  token: "Token",
  tokenHint: "This service asks for a token. It is kept in the cookie `push_token` of this site until the browser is closed.",
  badToken: "A token has letters, digits and `-_.` alone.",
  connect: "Connect",
  disconnect: "Disconnect",

  connecting: "Connecting",
  open: "Connected",
  closed: "Not connected",
  cut: "Connection lost, reconnecting",
  unreachable: "Not reachable, trying again",
  inSeconds: "in {n} s",

  publish: "Publish a message",
  publishText: "Text",
  publishTopic: "Topic",
  publishEvent: "Event (optional)",
  publishSend: "Publish",
  publishBurst: "Burst of 10",
  publishFirst: "Hello, subscribers!",
  publishing: "Publishing…",
  published: "Published, id {id}",
  publishUnreachable: "The server did not answer: the message may or may not have been published.",
  publishRefused: "Not published: {message}",

  echo: "Echo",
  echoHint: "The server answers every text sent to `/`.",
  echoText: "Text for the server",
  echoSend: "Send",
  echoAnswers: "Answers from the server",
  echoUnreachable: "The server cannot be reached; this text was not sent.",

  messages: "Messages",
  noMessages: "No messages yet. Once connected, they appear here, newest on top.",
  publishedAt: "published",
  arrivedAt: "arrived",
  delay: "delay {ms}",
  topicOf: "topic {topic}",
  eventOf: "event {event}",
  gap: "Messages are missing here",
  gapExpired: "The server's history no longer reaches back to {since}: some of the messages after it are gone and cannot be sent.",
  gapEpoch: "The server has a new history (it may have restarted): messages after {since} may have been missed.",
  gapLagged: "This page was too slow to keep up: the server skipped some of the messages after {since}.",

  terminal: "Try it from a terminal",
  curlPublish: "Publish a message",
  curlHistory: "Read the history",
  curlWait: "Wait for the next message (no position; all such callers share one queue)",
  curlSince: "From the earliest position, without loss; pass the answer's `cursor` as the next `since`",
  curlEvents: "Watch events arrive",
  curlResume: "Begin with the earliest message still held",
  curlFeed: "Watch messages arrive (with `websocat`)",
  curlEcho: "Echo (with `websocat`)",

  compareTitle: "Three ways to push, side by side",
  compareIntro: "One message, three services: see how each brings it to this page.",
  oneHistory: "The three services share one history: a message is published once and reaches all three columns.",
  severalHistories: "The three services have {n} histories: a message is published once to each.",
  count: "Messages",
  delayShort: "Delay (last / median)",
  requests: "Requests",
  bytes: "Bytes received",
  openPage: "Open its page",
  howCounted: "How the numbers are counted",
  noteDelay: "The delay among the numbers covers messages published from this page only: from the press of the button to arrival, on one clock for all three; the first includes opening connections and asking for cross-origin permission. Other messages show arrival minus time of publishing, which the two clocks' difference distorts.",
  noteRequests: "Requests: WebSocket and SSE count one for each connection, long polling one for each poll. Not counted: the short request with which SSE asks for its first position.",
  noteBytes: "Bytes: for WebSocket, payload and frame header (2, 4 or 10 bytes); for long polling, status line, the headers a script may see, and body; for SSE, the fields of each event and the size of its chunk.",
  noteNotBytes: "Not counted: the heads of the WebSocket and SSE answers, heartbeats, what the client sends, and TCP, TLS and compression.",
  noteShared: "Where the services share one history (in a file or in NATS), a message is published to one of them and has one id in all three columns; otherwise each has a history of its own, and the message is published to each.",

  yes: "yes",
  no: "no",
  debugTitle: "How the service is doing",
  debugMetrics: "All metrics (Prometheus)",
  debugService: "{transport}, version {version}, running for {uptime}",
  debugNow: "Now",
  debugRefresh: "Refresh",
  debugUnreachable: "The server did not answer; try again shortly.",
  debugNone: "None",
  debugConnected: "Clients connected",
  debugSilent: "Of these without an answer (they take nothing over HTTP/2)",
  debugUnder10: "Connected for less than 10 s",
  debugUnder60: "Connected for 10 s to 1 min",
  debugUnder600: "Connected for 1 to 10 min",
  debugUnder3600: "Connected for 10 min to 1 h",
  debugUnder86400: "Connected for 1 h to 1 day",
  debugOlder: "Connected for more than a day",
  debugMessages: "Messages in memory",
  debugMemory: "Memory of the history / limit",
  debugTopicCount: "Topics",
  debugPatternCount: "Patterns",
  debugBackplane: "Backplane",
  debugUp: "well",
  debugDown: "not well",
  debugShared: "History shared with other processes",
  debugDraining: "Shutting down",
  debugSlowest: "Slowest readers",
  debugSlowestHint: "By the messages that they have not read. “Stalled” is the time for which a client has taken nothing. Ending a client cuts its connection; it can come back with its cursor.",
  debugAddress: "Address",
  debugSubject: "Subject",
  debugFollows: "Follows",
  debugLag: "Unread",
  debugStalled: "Stalled",
  debugAge: "Connected",
  debugAct: "Action",
  debugEnd: "End",
  debugEndOf: "End {address}",
  debugEnded: "{address} was ended.",
  debugNotEnded: "{address} was not ended; it may have left.",
  debugOthers: "Show those who have read everything, too ({count})",
  debugGaps: "Latest gaps",
  debugGapsHint: "A client that was told of a gap did not get the messages between `since` and `cursor`.",
  debugWhen: "Time",
  debugReason: "Reason",
  debugSince: "since",
  debugCursor: "cursor",
  debugExpired: "came back too late for the history",
  debugEpoch: "came from another history",
  debugLagged: "read too slowly",
  debugTopics: "Topics that take the most memory",
  debugTopic: "Topic",
  debugHeld: "Messages",
  debugBytes: "Bytes",
  debugFollowers: "Followers",
};

const preferred = navigator.languages.find((tag) => /^(zh|en)\b/i.test(tag)) ?? "en";
const isChinese = /^zh/i.test(preferred);
const texts = isChinese ? chinese : english;

/** The tag for `lang` attributes and Intl. */
export const language = isChinese ? "zh-CN" : "en";

export function say(key, values = {}) {
  return texts[key].replace(/\{(\w+)\}/g, (_, name) => values[name]);
}

/** Puts the person's language into every marked element below `root`. */
export function translate(root = document) {
  if (root === document) document.documentElement.lang = language;
  for (const element of root.querySelectorAll("[data-text]")) write(element, say(element.dataset.text));
  for (const element of root.querySelectorAll("[data-text-label]")) {
    element.setAttribute("aria-label", say(element.dataset.textLabel));
  }
  for (const element of root.querySelectorAll("[data-text-placeholder]")) {
    element.placeholder = say(element.dataset.textPlaceholder);
  }
  for (const element of root.querySelectorAll("[data-text-value]")) element.value = say(element.dataset.textValue);
}

function write(element, text) {
  element.replaceChildren(
    ...text.split("`").map((piece, index) => {
      if (index % 2 === 0) return piece;
      const code = document.createElement("code");
      code.textContent = piece;
      return code;
    }),
  );
}

const timeFormat = new Intl.DateTimeFormat(language, {
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  fractionalSecondDigits: 3,
  hourCycle: "h23",
});
const numberFormat = new Intl.NumberFormat(language);

export const clockTime = (date) => timeFormat.format(date);
export const number = (value) => numberFormat.format(value);

/** A delay. */
export const milliseconds = (value) => `${number(Math.round(value))} ms`;
