//! The flags that all services have. Each has an environment variable too.

use std::time::Duration;

use bytesize::ByteSize;
use clap::{Args, Subcommand, ValueEnum};
use tracing_subscriber::filter::Targets;
use url::Url;

use crate::access::AccessConfig;
use crate::client_address::TrustedProxy;
use crate::listen::ListenAddress;
use crate::publish_rate::PublishRate;
use crate::tls::TlsConfig;
#[cfg(feature = "otlp")]
use crate::traces::TracesConfig;
use shared::duration::{duration, period};
use shared::hub::HistoryLimits;

/// The flags that are the same for every service. See `--help` for the text of each.
#[derive(Debug, Clone, Args)]
pub struct CommonConfig {
    #[command(flatten, next_help_heading = "Source")]
    #[allow(missing_docs)]
    pub tick: TickConfig,
    #[command(flatten, next_help_heading = "History")]
    #[allow(missing_docs)]
    pub history: HistoryConfig,
    #[command(flatten, next_help_heading = "Connections")]
    #[allow(missing_docs)]
    pub connections: ConnectionConfig,
    #[command(flatten, next_help_heading = "Input")]
    #[allow(missing_docs)]
    pub input: InputConfig,
    #[command(flatten, next_help_heading = "TLS")]
    #[allow(missing_docs)]
    pub tls: TlsConfig,
    #[command(flatten, next_help_heading = "Access")]
    #[allow(missing_docs)]
    pub access: AccessConfig,
    #[command(flatten, next_help_heading = "Pages")]
    #[allow(missing_docs)]
    pub pages: PageConfig,
    #[command(flatten, next_help_heading = "Watching")]
    #[allow(missing_docs)]
    pub watch: WatchConfig,
    #[cfg(feature = "otlp")]
    #[command(flatten, next_help_heading = "Traces")]
    #[allow(missing_docs)]
    pub traces: TracesConfig,
    #[command(flatten, next_help_heading = "Logging")]
    #[allow(missing_docs)]
    pub log: LogConfig,
}

/// The simulated source.
#[derive(Debug, Clone, Args)]
pub struct TickConfig {
    /// Publish a message on the topic `main` at this interval, to have something to see; 0 turns it off
    #[arg(long, env = "PUSH_TICK", value_name = "DURATION", default_value = "5s", value_parser = duration)]
    pub tick: Duration,
}

/// The messages that are held for clients that come back.
#[derive(Debug, Clone, Args)]
pub struct HistoryConfig {
    /// Messages held in each topic
    #[arg(long = "history", env = "PUSH_HISTORY", value_name = "N", default_value = "1000", value_parser = at_least_one)]
    pub history: usize,
    /// The time that a message is held
    #[arg(long, env = "PUSH_HISTORY_AGE", value_name = "DURATION", default_value = "10m", value_parser = period)]
    pub history_age: Duration,
    /// Memory for the messages of all topics together. With --data, bytes of the file, and --memory-bytes is the memory
    #[arg(long, env = "PUSH_HISTORY_BYTES", value_name = "BYTES", default_value = "64 MiB")]
    pub history_bytes: ByteSize,
    /// Distinct patterns with wildcards that are followed at a time; whoever follows or reads a further one is asked to try
    /// again later. Each counts 2 KiB in --history-bytes
    #[arg(long, env = "PUSH_MAX_PATTERNS", value_name = "N", default_value = "10000", value_parser = at_least_one)]
    pub max_patterns: usize,
    /// Topics that have messages in memory or are followed, at a time; whoever publishes to a further one, or follows it, is asked
    /// to try again later
    #[arg(long, env = "PUSH_MAX_TOPICS", value_name = "N", default_value = "100000", value_parser = at_least_one)]
    pub max_topics: usize,
    /// Idempotency keys of the last 2 minutes that are remembered, of which one client (the subject of its token, or its address) may use a
    /// tenth; with more, publishing under a new key is refused. With --nats the stream remembers them, without this limit
    #[arg(long, env = "PUSH_IDEMPOTENCY_KEYS", value_name = "N", default_value = "100000", value_parser = at_least_one)]
    pub idempotency_keys: usize,
}

impl HistoryConfig {
    /// The limits of the hub's histories.
    pub fn limits(&self) -> HistoryLimits {
        HistoryLimits {
            messages: self.history,
            age: self.history_age,
            bytes: usize::try_from(self.history_bytes.as_u64()).unwrap_or(usize::MAX),
        }
    }
}

/// Limits and times of connections.
#[derive(Debug, Clone, Args)]
pub struct ConnectionConfig {
    /// Connections served at a time; further ones are asked to try again later. Fewer where the system allows fewer
    /// descriptors
    #[arg(
        long,
        env = "PUSH_MAX_CONNECTIONS",
        value_name = "N",
        default_value = "100000",
        value_parser = at_least_one
    )]
    pub max_connections: usize,
    /// Connections of one address that are served at a time, or requests of HTTP/2 that are open where a trusted proxy sends them; 0 for any
    /// number. Further ones are asked to try again later, and closed at
    /// once if they are many. An IPv6 client counts by its /64 network
    #[arg(long, env = "PUSH_MAX_CONNECTIONS_PER_ADDRESS", value_name = "N", default_value = "0")]
    pub max_connections_per_address: usize,
    /// Addresses or networks of the proxies in front, such as 10.0.0.0/8; may be given several times. What they report of
    /// their clients' addresses, in X-Forwarded-For or Forwarded, is believed; what others report is not
    #[arg(long, env = "PUSH_TRUSTED_PROXIES", value_name = "CIDR", value_delimiter = ',')]
    pub trusted_proxies: Vec<TrustedProxy>,
    /// Connections beyond --max-connections that are held until they are answered: /livez and /readyz as always, everybody
    /// else with a refusal. When there are more, the oldest is closed
    #[arg(
        long,
        env = "PUSH_OVERFLOW_CONNECTIONS",
        value_name = "N",
        default_value = "256",
        value_parser = at_least_one
    )]
    pub overflow_connections: usize,
    /// Publications taken at a time on connections beyond --max-connections
    #[arg(
        long,
        env = "PUSH_OVERFLOW_PUBLISHERS",
        value_name = "N",
        default_value = "64",
        value_parser = at_least_one
    )]
    pub overflow_publishers: usize,
    /// Send a heartbeat on a quiet connection at this interval
    #[arg(long, env = "PUSH_HEARTBEAT", value_name = "DURATION", default_value = "15s", value_parser = period)]
    pub heartbeat: Duration,
    /// Bytes that are handed to the system for a client and that it cannot send yet; more wait, shared, in the history. On
    /// Linux only
    #[arg(long, env = "PUSH_MAX_UNSENT_BYTES", value_name = "BYTES", default_value = "128 KiB", value_parser = at_least_a_page)]
    pub max_unsent_bytes: ByteSize,
    /// Cut off a client whose system takes no byte for this long, or up to a quarter longer. A system that has filled its
    /// buffer takes nothing until the client has read most of it: 26 s for 128 KiB at 5 KB/s
    #[arg(long, env = "PUSH_WRITE_TIMEOUT", value_name = "DURATION", default_value = "30s", value_parser = period)]
    pub write_timeout: Duration,
    /// The time that a client has to send the head of a request, and again for the body, and for a WebSocket message that it has
    /// begun. The first request of a connection has to begin within it too
    #[arg(long, env = "PUSH_READ_TIMEOUT", value_name = "DURATION", default_value = "10s", value_parser = period)]
    pub read_timeout: Duration,
    /// Close a connection that was kept open for a further request when none has begun for this long. Longer than the time of a
    /// load balancer in front, which is often 60s
    #[arg(long, env = "PUSH_IDLE_TIMEOUT", value_name = "DURATION", default_value = "75s", value_parser = period)]
    pub idle_timeout: Duration,
    /// The time that a client has to close its side after the last answer, or to answer a WebSocket's close frame
    #[arg(long, env = "PUSH_CLOSE_TIMEOUT", value_name = "DURATION", default_value = "2s", value_parser = period)]
    pub close_timeout: Duration,
    /// Let another process listen on the same address at the same time: start the new one, then stop the old one, which accepts
    /// no more connections once it is shutting down
    #[arg(long, env = "PUSH_REUSE_PORT")]
    pub reuse_port: bool,
    /// On SIGTERM, SIGINT or SIGQUIT, release the connections evenly over this time
    #[arg(long, env = "PUSH_DRAIN", value_name = "DURATION", default_value = "10s", value_parser = duration)]
    pub drain: Duration,
}

/// Limits of what clients send.
#[derive(Debug, Clone, Args)]
pub struct InputConfig {
    /// The largest message: its text and event name together
    #[arg(long, env = "PUSH_MAX_MESSAGE_BYTES", value_name = "BYTES", default_value = "64 KiB")]
    pub max_message_bytes: ByteSize,
    /// The largest request body, which may hold many messages
    #[arg(long, env = "PUSH_MAX_BODY_BYTES", value_name = "BYTES", default_value = "1 MiB")]
    pub max_body_bytes: ByteSize,
    /// The most messages in an array that is published in one request
    #[arg(long, env = "PUSH_MAX_ARRAY", value_name = "N", default_value = "1000", value_parser = at_least_one)]
    pub max_array: usize,
    /// The part of one core that request bodies of 16 KiB and more, and arrays of 2 KiB and more, take together at most, so that the messages
    /// of others are not late; 1 for all of it
    #[arg(long, env = "PUSH_LARGE_BODY_SHARE", value_name = "PART", default_value = "0.5", value_parser = share)]
    pub large_body_share: f64,
    /// Messages per second that one client (the subject of its token, or its address) may publish, or with the most at once, as in
    /// 50:200 [default: any number]
    #[arg(long, env = "PUSH_PUBLISH_RATE", value_name = "N[:BURST]")]
    pub publish_rate: Option<PublishRate>,
    /// Memory for all request bodies, and WebSocket messages that come in parts, that are under way. Beside others, each may take a quarter
    /// of what they leave; a client for whom that is too little is asked to try again later
    #[arg(long, env = "PUSH_BODY_BUDGET", value_name = "BYTES", default_value = "64 MiB")]
    pub body_budget: ByteSize,
    /// Bytes that a client may send ahead while its request is held or answered; one that sends more is cut off
    #[arg(long, env = "PUSH_MAX_UNREAD_BYTES", value_name = "BYTES", default_value = "64 KiB")]
    pub max_unread_bytes: ByteSize,
    /// The largest request head: request line and headers
    #[arg(long, env = "PUSH_MAX_HEAD_BYTES", value_name = "BYTES", default_value = "48 KiB", value_parser = head_bytes)]
    pub max_head_bytes: ByteSize,
    /// An origin whose pages may use this service, such as `https://example.org`, as browsers write it: in lower case and without a
    /// path; may be given several times, `*` for any. Pages of the service itself always may
    #[arg(
        long,
        env = "PUSH_ALLOW_ORIGIN",
        value_name = "ORIGIN",
        default_value = "*",
        value_delimiter = ',',
        value_parser = origin
    )]
    pub allow_origin: Vec<String>,
}

/// The addresses of the three services for the page `/compare`.
#[derive(Debug, Clone, Default, Args)]
pub struct PageConfig {
    /// Base URL of ws-echo for the page /compare [default: this host, port 8080]
    #[arg(long, env = "PUSH_PEER_WS", value_name = "URL", value_parser = base_url)]
    pub peer_ws: Option<String>,
    /// Base URL of longpoll-server for the page /compare [default: this host, port 3000]
    #[arg(long, env = "PUSH_PEER_POLL", value_name = "URL", value_parser = base_url)]
    pub peer_poll: Option<String>,
    /// Base URL of sse-server for the page /compare [default: this host, port 3001]
    #[arg(long, env = "PUSH_PEER_SSE", value_name = "URL", value_parser = base_url)]
    pub peer_sse: Option<String>,
}

/// The view of those who run the service.
#[derive(Debug, Clone, Args)]
pub struct WatchConfig {
    /// Serve /metrics at this address alone, and /debug: IP:PORT, localhost:PORT or :PORT, in the clear. Whoever reaches it sees who
    /// follows what, and can end clients [default: /metrics is at --listen, and /debug nowhere]
    #[arg(long, env = "PUSH_ADMIN_LISTEN", value_name = "ADDRESS")]
    pub admin_listen: Option<ListenAddress>,
}

/// The log.
#[derive(Debug, Clone, Args)]
pub struct LogConfig {
    /// The level of the log: error, warn, info, debug or trace; or one per module, such as `info,serving=debug` [default: that of the
    /// variable RUST_LOG, or else info]
    #[arg(long, env = "PUSH_LOG", value_name = "LEVEL")]
    pub log: Option<Targets>,
    /// The form of the log
    #[arg(long, env = "PUSH_LOG_FORMAT", value_name = "FORMAT", default_value = "text")]
    pub log_format: LogFormat,
    /// Lines per second that clients can cause at the level info; the rest of them is logged at debug
    #[arg(long, env = "PUSH_LOG_BUDGET", value_name = "N", default_value = "100")]
    pub log_budget: u32,
}

/// The form of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// A line of text per event
    Text,
    /// A JSON object per event
    Json,
}

/// A command that runs instead of the service.
#[derive(Debug, Clone, Subcommand)]
pub enum Command {
    /// Ask the service that runs at --listen whether it is ready; exit 0 if it is, 1 if not. With --tls-cert or its variable, by TLS,
    /// whatever the certificate
    Healthcheck,
    /// Begin a new epoch of the history in --data, after a backup of it was restored: clients whose cursor is of the time before
    /// are sent a gap. Processes that use the directory may run meanwhile
    NewEpoch,
}

/// The reason why a text is not the value that a flag takes.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
enum BadValue {
    #[error("write a number, at least 1")]
    Number,
    #[error("write a size such as 16 KiB")]
    Size,
    #[error("must be at least 8 KiB")]
    HeadTooSmall,
    #[error("must be at least 4 KiB")]
    BufferTooSmall,
    #[error("write a base URL such as https://push.example.org")]
    BaseUrl,
    #[error(
        "no browser sends this origin; write scheme, host and port alone, such as https://example.org, or * for any"
    )]
    Origin,
    #[error("write a part of one core, from 0.01 to 1, such as 0.5")]
    Share,
    #[error("no browser sends this origin; write {0}")]
    OriginForm(String),
}

fn at_least_one(text: &str) -> Result<usize, BadValue> {
    text.parse().ok().filter(|number| *number >= 1).ok_or(BadValue::Number)
}

fn share(text: &str) -> Result<f64, BadValue> {
    text.parse().ok().filter(|share| (0.01..=1.0).contains(share)).ok_or(BadValue::Share)
}

fn head_bytes(text: &str) -> Result<ByteSize, BadValue> {
    let bytes: ByteSize = text.parse().map_err(|_| BadValue::Size)?;
    // hyper has no smaller read buffer.
    if bytes < ByteSize::kib(8) { Err(BadValue::HeadTooSmall) } else { Ok(bytes) }
}

/// Parses an origin as a browser serialises it (WHATWG HTML, section 7.1.1), since it is compared byte by byte.
fn origin(text: &str) -> Result<String, BadValue> {
    if matches!(text, "*" | "null") {
        return Ok(text.to_owned());
    }
    // A pattern or a name that is not written as browsers send it would be taken for a host.
    let url = Url::parse(text).ok().filter(|url| url.username().is_empty() && text.is_ascii() && !text.contains('*'));
    let url = url.ok_or(BadValue::Origin)?;
    let host = url.host_str().filter(|host| !host.is_empty()).ok_or(BadValue::Origin)?;
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    let sent = format!("{}://{host}{port}", url.scheme());
    if sent == text { Ok(sent) } else { Err(BadValue::OriginForm(sent)) }
}

fn at_least_a_page(text: &str) -> Result<ByteSize, BadValue> {
    let bytes: ByteSize = text.parse().map_err(|_| BadValue::Size)?;
    if bytes < ByteSize::kib(4) { Err(BadValue::BufferTooSmall) } else { Ok(bytes) }
}

fn base_url(text: &str) -> Result<String, BadValue> {
    let url = text.trim_end_matches('/');
    let rest = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://"));
    // The URL becomes part of a header, the page's Content-Security-Policy.
    let safe = |b: u8| b.is_ascii_alphanumeric() || b".-:[]/_~".contains(&b);
    match rest {
        Some(host) if !host.is_empty() && host.bytes().all(safe) => Ok(url.to_owned()),
        _ => Err(BadValue::BaseUrl),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_what_a_browser_sends() {
        for good in
            ["*", "null", "https://a.example", "http://localhost:5173", "http://[::1]:80", "chrome-extension://abc"]
        {
            let expected = if good == "http://[::1]:80" {
                Err(BadValue::OriginForm("http://[::1]".into()))
            } else {
                Ok(good.into())
            };
            assert_eq!(origin(good), expected);
        }
        for (mended, sent) in [
            ("https://a.example/", "https://a.example"),
            ("https://a.example/page?x#y", "https://a.example"),
            ("HTTPS://A.Example", "https://a.example"),
            (" https://a.example", "https://a.example"),
            ("https://a.example:443", "https://a.example"),
            ("https://a.example:", "https://a.example"),
            ("https://a.example:08443", "https://a.example:8443"),
            ("https://[0:0:0:0:0:0:0:1]:3000", "https://[::1]:3000"),
            ("https://127.1", "https://127.0.0.1"),
            ("https:///x", "https://x"),
        ] {
            assert_eq!(origin(mended), Err(BadValue::OriginForm(sent.into())), "{mended:?}");
        }
        for bad in [
            "",
            " ",
            "a.example",
            "//a",
            "https://",
            "https://*.a",
            "https://a.example:99999",
            "https://[::1",
            "data:x",
            "https://a b",
            "https://u@a",
            "https://ä",
            "**",
        ] {
            assert_eq!(origin(bad), Err(BadValue::Origin), "{bad:?}");
        }
    }

    #[test]
    fn a_base_url_cannot_smuggle_a_policy_into_a_header() {
        assert_eq!(base_url("http://a.example:8080/"), Ok("http://a.example:8080".to_owned()));
        for bad in ["", "a.example", "ftp://a", "http://", "http://a b", "http://a;script-src *", "http://a\r\nx: y"] {
            assert!(base_url(bad).is_err(), "{bad:?}");
        }
    }
}
