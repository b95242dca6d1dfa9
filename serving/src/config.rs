//! The flags that all services have. Each has an environment variable too.

use std::time::Duration;

use bytesize::ByteSize;
use clap::{Args, Subcommand, ValueEnum};

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
    #[command(flatten, next_help_heading = "Pages")]
    #[allow(missing_docs)]
    pub pages: PageConfig,
    #[command(flatten, next_help_heading = "Logging")]
    #[allow(missing_docs)]
    pub log: LogConfig,
}

/// The simulated source.
#[derive(Debug, Clone, Args)]
pub struct TickConfig {
    /// How often a message is published on the topic `main`, to have something to see; 0 turns it off
    #[arg(long, env = "PUSH_TICK", value_name = "DURATION", default_value = "5s", value_parser = duration)]
    pub tick: Duration,
}

/// What is held for clients that come back.
#[derive(Debug, Clone, Args)]
pub struct HistoryConfig {
    /// Messages held in each topic
    #[arg(long = "history", env = "PUSH_HISTORY", value_name = "N", default_value = "1000", value_parser = at_least_one)]
    pub history: usize,
    /// How long a message is held
    #[arg(long, env = "PUSH_HISTORY_AGE", value_name = "DURATION", default_value = "10m", value_parser = period)]
    pub history_age: Duration,
    /// Memory for the messages of all topics together
    #[arg(long, env = "PUSH_HISTORY_BYTES", value_name = "BYTES", default_value = "64 MiB")]
    pub history_bytes: ByteSize,
    /// How many idempotency keys of the last 2 minutes are remembered; beyond that, publishing with a key is refused. With
    /// --nats it is the stream that remembers them, all of them
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
    /// Connections served at a time; more are told to try again later. Less where the system allows fewer descriptors
    #[arg(
        long,
        env = "PUSH_MAX_CONNECTIONS",
        value_name = "N",
        default_value = "100000",
        value_parser = at_least_one
    )]
    pub max_connections: usize,
    /// How often a quiet connection is given a sign of life
    #[arg(long, env = "PUSH_HEARTBEAT", value_name = "DURATION", default_value = "15s", value_parser = period)]
    pub heartbeat: Duration,
    /// A client that takes no byte for this long is cut off
    #[arg(long, env = "PUSH_WRITE_TIMEOUT", value_name = "DURATION", default_value = "10s", value_parser = period)]
    pub write_timeout: Duration,
    /// A client has this long to send the head of a request, and as long again for the body
    #[arg(long, env = "PUSH_READ_TIMEOUT", value_name = "DURATION", default_value = "10s", value_parser = period)]
    pub read_timeout: Duration,
    /// On SIGTERM or SIGINT, connections are released evenly over this time
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
    /// The largest request head: request line and headers
    #[arg(long, env = "PUSH_MAX_HEAD_BYTES", value_name = "BYTES", default_value = "16 KiB", value_parser = head_bytes)]
    pub max_head_bytes: ByteSize,
    /// An origin whose pages may use this service, such as `https://example.org`; may be given several times, `*` for any
    #[arg(long, env = "PUSH_ALLOW_ORIGIN", value_name = "ORIGIN", default_value = "*", value_delimiter = ',')]
    pub allow_origin: Vec<String>,
}

/// Where `/compare` finds the three services.
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

/// What is logged, and how.
#[derive(Debug, Clone, Args)]
pub struct LogConfig {
    /// What is logged: error, warn, info, debug or trace; or by module, such as `info,shared=debug`
    #[arg(long, env = "PUSH_LOG", value_name = "LEVEL", default_value = "info")]
    pub log: tracing_subscriber::filter::Targets,
    /// The form of the log
    #[arg(long, env = "PUSH_LOG_FORMAT", value_name = "FORMAT", default_value = "text")]
    pub log_format: LogFormat,
}

/// The form of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// A line of text an event
    Text,
    /// A JSON object an event
    Json,
}

/// What a service does instead of serving.
#[derive(Debug, Clone, Subcommand)]
pub enum Command {
    /// Ask the service that runs at --listen whether it is ready; exit 0 if it is, 1 if not
    Healthcheck,
}

fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(number) if number >= 1 => Ok(number),
        _ => Err("write a number, at least 1".to_owned()),
    }
}

fn head_bytes(text: &str) -> Result<ByteSize, String> {
    let bytes: ByteSize = text.parse()?;
    // The HTTP library has no smaller read buffer.
    if bytes < ByteSize::kib(8) { Err("must be at least 8 KiB".to_owned()) } else { Ok(bytes) }
}

fn base_url(text: &str) -> Result<String, String> {
    let url = text.trim_end_matches('/');
    let rest = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://"));
    // The URL becomes part of a header, the page's Content-Security-Policy.
    let safe = |b: u8| b.is_ascii_alphanumeric() || b".-:[]/_~".contains(&b);
    match rest {
        Some(host) if !host.is_empty() && host.bytes().all(safe) => Ok(url.to_owned()),
        _ => Err("write a base URL such as https://push.example.org".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_url_cannot_smuggle_a_policy_into_a_header() {
        assert_eq!(base_url("http://a.example:8080/"), Ok("http://a.example:8080".to_owned()));
        for bad in ["", "a.example", "ftp://a", "http://", "http://a b", "http://a;script-src *", "http://a\r\nx: y"] {
            assert!(base_url(bad).is_err(), "{bad:?}");
        }
    }
}
