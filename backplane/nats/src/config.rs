//! The flags of the NATS backplane.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use clap::builder::FalseyValueParser;

use crate::secret::Secret;
use crate::url::{BadNatsUrl, NatsUrl};
use shared::duration::period;

/// The flags of a process that shares its history through NATS JetStream.
#[derive(Debug, Clone, Args)]
pub struct NatsConfig {
    /// Share one history with every other process that uses the same stream: the NATS servers, such as
    /// `nats://a:4222,nats://b:4222`, or tls://; a user and password in the URL count too, for all of them. Without it, the
    /// history is this process's own
    #[arg(long = "nats", env = "PUSH_NATS", value_name = "URL", value_delimiter = ',', hide_env_values = true)]
    pub servers: Vec<Secret>,
    /// A file of credentials (.creds) for NATS
    #[arg(
        long = "nats-credentials",
        env = "PUSH_NATS_CREDENTIALS",
        value_name = "FILE",
        conflicts_with_all = ["user", "password"]
    )]
    pub credentials: Option<PathBuf>,
    /// The user for NATS
    #[arg(long = "nats-user", env = "PUSH_NATS_USER", value_name = "NAME", requires = "password")]
    pub user: Option<String>,
    /// The user's password; set the variable rather than the flag, for everyone on this machine can read a command line
    #[arg(
        long = "nats-password",
        env = "PUSH_NATS_PASSWORD",
        value_name = "PASSWORD",
        requires = "user",
        hide_env_values = true
    )]
    pub password: Option<Secret>,
    /// Certificates (PEM) to trust, in place of the system's. With this, the connection uses TLS, whatever the URL says
    #[arg(long = "nats-ca", env = "PUSH_NATS_CA", value_name = "FILE")]
    pub ca: Option<PathBuf>,
    /// The stream. It is created if it is missing, with the limits of --history, --history-age and --history-bytes
    #[arg(
        long = "nats-stream",
        env = "PUSH_NATS_STREAM",
        value_name = "NAME",
        default_value = "PUSH",
        value_parser = stream_name
    )]
    pub stream: String,
    /// The number of NATS servers that keep the stream, if it is created: 1, 3 or 5
    #[arg(
        long = "nats-replicas",
        env = "PUSH_NATS_REPLICAS",
        value_name = "N",
        default_value = "1",
        value_parser = replicas
    )]
    pub replicas: usize,
    /// Confirms that every NATS server has `sync_interval: always` in its jetstream block. Servers do not report this to
    /// their clients; without the flag, a warning at start says what may be lost
    #[arg(
        long = "nats-sync-always",
        env = "PUSH_NATS_SYNC_ALWAYS",
        value_parser = FalseyValueParser::new()
    )]
    pub sync_always: bool,
    /// The time that a message waits for NATS to confirm it before its publisher is answered that it is in doubt; shorter
    /// than 2 minutes and than --history-age
    #[arg(
        long = "publish-timeout",
        env = "PUSH_PUBLISH_TIMEOUT",
        value_name = "DURATION",
        default_value = "5s",
        value_parser = period
    )]
    pub publish_timeout: Duration,
}

impl NatsConfig {
    /// Returns whether the flags name a NATS server.
    pub fn is_asked_for(&self) -> bool {
        self.texts().next().is_some()
    }

    /// Returns the addresses of the servers. Parsed here and not by clap, whose error message would print the URL,
    /// password included.
    ///
    /// # Errors
    /// When a URL is invalid, or the URLs carry different credentials.
    pub fn urls(&self) -> Result<Vec<NatsUrl>, BadNatsUrl> {
        let urls: Vec<NatsUrl> = self.texts().map(str::parse).collect::<Result<_, _>>()?;
        // The servers of a cluster announce others, which can only be logged in to with one login for all.
        let mut logins = urls.iter().filter_map(|url| url.login.as_ref());
        let first = logins.next();
        if logins.any(|login| Some(login) != first) {
            return Err(BadNatsUrl::Logins);
        }
        Ok(urls)
    }

    /// The URLs as text. An empty variable counts as one that is not set.
    fn texts(&self) -> impl Iterator<Item = &str> {
        self.servers.iter().map(|server| server.0.trim()).filter(|text| !text.is_empty())
    }
}

/// The reason why a text cannot be the name of a stream.
#[derive(Debug, thiserror::Error)]
#[error("write a name of A-Z a-z 0-9 _ -")]
struct BadStreamName;

fn stream_name(name: &str) -> Result<String, BadStreamName> {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if (1..=255).contains(&name.len()) && name.chars().all(fits) { Ok(name.to_owned()) } else { Err(BadStreamName) }
}

/// The reason why a text is not a number of replicas.
#[derive(Debug, thiserror::Error)]
#[error("write 1, 3 or 5")]
struct BadReplicaCount;

fn replicas(text: &str) -> Result<usize, BadReplicaCount> {
    match text.parse() {
        Ok(number @ (1 | 3 | 5)) => Ok(number),
        _ => Err(BadReplicaCount),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Flags {
        #[command(flatten)]
        nats: NatsConfig,
    }

    /// Parses flags.
    pub(crate) fn config(flags: &[&str]) -> NatsConfig {
        Flags::parse_from([&["test"], flags].concat()).nats
    }

    #[test]
    fn one_login_counts_for_all_servers() {
        let urls = |urls: &str| config(&["--nats", urls]).urls().map(|urls| urls.len());
        assert_eq!(urls("nats://u:p@a,nats://u:p@b,nats://c"), Ok(3));
        assert_eq!(urls("nats://u:p@a,nats://u:other@b"), Err(BadNatsUrl::Logins));
        assert_eq!(urls("nats://secret@a"), Err(BadNatsUrl::Token));
    }
}
