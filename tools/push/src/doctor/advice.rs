//! Advice for the findings that have a usual cause.

/// A WebSocket is not opened.
pub(super) const UPGRADE: &str = "have the proxy pass upgrades on. nginx: `proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; \
    proxy_set_header Connection \"upgrade\";`. Envoy: `upgrade_configs: [{ upgrade_type: websocket }]`. HAProxy and Caddy do by themselves. \
    Where that is not possible, use Server-Sent Events";

/// A stream is held back.
pub(super) const BUFFERING: &str = "have the proxy pass on at once what it receives. nginx: `proxy_buffering off; proxy_http_version 1.1;`, and no \
    `proxy_ignore_headers X-Accel-Buffering`; no gzip for text/event-stream. Apache: `flushpackets=on`. Content delivery networks: turn \
    caching and compression off for this path. Where that is not possible, use long polling";

/// A poll is cut while it is held.
pub(super) const TIME_OUT: &str = "have the proxy wait for longer than 60 s without a byte. nginx: `proxy_read_timeout 75s;`. HAProxy: \
    `timeout server 75s`. Envoy: `timeout: 0s` and `stream_idle_timeout: 75s`. AWS load balancers: an idle timeout of 75 s";

/// `Last-Event-ID` is lost.
pub(super) const LAST_EVENT_ID: &str = "have the proxy pass the header Last-Event-ID on: without it, an EventSource that comes back \
    misses messages";

/// `Idempotency-Key` is lost.
pub(super) const IDEMPOTENCY_KEY: &str =
    "have the proxy pass the header Idempotency-Key on: without it, a repeated publication is another message";

/// The service asks for a token.
pub(super) const TOKEN: &str = "give a token with --token, --token-file or PUSH_TOKEN; if you did, it has ended, it does not allow the \
    topic, or the proxy does not pass the header Authorization on. The service's log has the reason";

/// The clocks differ.
pub(super) const CLOCK: &str =
    "set both clocks by NTP: the end of a token counts by the service's clock, give or take 5 s";

/// The connection is upgraded, and nothing comes.
pub(super) const FRAMES: &str = "something accepts the upgrade and does not pass frames on: look at its log";
