//! The flags of the NATS backplane.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use async_nats::ServerAddr;
use clap::Args;

use shared::duration::period;

/// One history for many processes, by way of NATS JetStream.
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
    /// Certificates (PEM) to trust, in place of the system's. With this, the connection is by TLS, whatever the URL says
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
    /// On how many NATS servers the stream is kept, if it is created: 1, 3 or 5
    #[arg(
        long = "nats-replicas",
        env = "PUSH_NATS_REPLICAS",
        value_name = "N",
        default_value = "1",
        value_parser = replicas
    )]
    pub replicas: usize,
    /// How long a message waits for NATS to confirm it before its publisher is answered that it is in doubt; shorter than 2
    /// minutes and than --history-age
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
    /// Whether the history is to be shared.
    pub fn is_asked_for(&self) -> bool {
        self.texts().next().is_some()
    }

    /// The servers. Not looked at before, since what is wrong with a flag's value is told with the value.
    ///
    /// # Errors
    /// When one is none, or they are to be logged in to in different ways.
    pub fn urls(&self) -> Result<Vec<NatsUrl>, BadNatsUrl> {
        let urls: Vec<NatsUrl> = self.texts().map(str::parse).collect::<Result<_, _>>()?;
        // The servers of a cluster tell of others, at which nothing but one login for all can be used.
        let mut logins = urls.iter().filter_map(|url| url.login.as_ref());
        let first = logins.next();
        if logins.any(|login| Some(login) != first) {
            return Err(BadNatsUrl::Logins);
        }
        Ok(urls)
    }

    /// A variable that is empty is as good as none.
    fn texts(&self) -> impl Iterator<Item = &str> {
        self.servers.iter().map(|server| server.0.trim()).filter(|text| !text.is_empty())
    }
}

/// The address of a NATS server, with a user and password perhaps; those are never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct NatsUrl {
    /// Without user and password.
    pub address: ServerAddr,
    /// As the URL has them.
    pub login: Option<(String, Secret)>,
}

/// A text that is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(pub String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Debug for NatsUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for NatsUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.address.host(), self.address.port())
    }
}

/// Why a text is no address of a NATS server.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum BadNatsUrl {
    /// It is none.
    #[error("--nats: write addresses of NATS servers, such as nats://localhost:4222 or tls://nats.example.org")]
    Address,
    /// One login counts for all servers.
    #[error("--nats: write one user and password for all servers; they differ")]
    Logins,
    /// It has a user and no password, which to NATS is a token.
    #[error("--nats: tokens are not supported; log in with a user and a password, or with --nats-credentials")]
    Token,
}

impl FromStr for NatsUrl {
    type Err = BadNatsUrl;

    fn from_str(text: &str) -> Result<Self, BadNatsUrl> {
        let address: ServerAddr = text.trim().parse().map_err(|_| BadNatsUrl::Address)?;
        if !matches!(address.scheme(), "nats" | "tls") || address.host().is_empty() {
            return Err(BadNatsUrl::Address);
        }
        if address.username().is_some() && address.password().is_none() {
            return Err(BadNatsUrl::Token);
        }
        let decoded = |text: &str| {
            // A URL's percent encoding is that of a form, but for the plus sign.
            let text = text.replace('+', "%2B");
            form_urlencoded::parse(text.as_bytes()).next().map_or_else(String::new, |(decoded, _)| decoded.into_owned())
        };
        let login = address.username().map(|user| {
            let password = decoded(address.password().unwrap_or_default());
            (decoded(user), Secret(password))
        });
        // The library shows addresses in its log as they are.
        let mut url = address.into_inner();
        url.set_username("").and_then(|()| url.set_password(None)).map_err(|()| BadNatsUrl::Address)?;
        Ok(Self { address: ServerAddr::from_url(url).map_err(|_| BadNatsUrl::Address)?, login })
    }
}

fn stream_name(name: &str) -> Result<String, String> {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if (1..=255).contains(&name.len()) && name.chars().all(fits) {
        Ok(name.to_owned())
    } else {
        Err("write a name of A-Z a-z 0-9 _ -".to_owned())
    }
}

fn replicas(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(number @ (1 | 3 | 5)) => Ok(number),
        _ => Err("write 1, 3 or 5".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_in_the_url_counts_and_is_never_shown() {
        let url: NatsUrl = "nats://push:p%40ss+w@nats.example:4333".parse().unwrap();
        assert_eq!(url.login, Some(("push".to_owned(), Secret("p@ss+w".to_owned()))));
        assert_eq!(
            format!("{url:?} {url} {:?}", url.login),
            r#"nats.example:4333 nats.example:4333 Some(("push", …))"#
        );
        assert!(!url.address.as_url_str().contains("push"), "the library must not see it");
    }

    #[test]
    fn one_login_counts_for_all_servers() {
        #[derive(clap::Parser)]
        struct Flags {
            #[command(flatten)]
            nats: NatsConfig,
        }
        let urls = |urls: &str| {
            <Flags as clap::Parser>::parse_from(["test", "--nats", urls]).nats.urls().map(|urls| urls.len())
        };
        assert_eq!(urls("nats://u:p@a,nats://u:p@b,nats://c"), Ok(3));
        assert_eq!(urls("nats://u:p@a,nats://u:other@b"), Err(BadNatsUrl::Logins));
        assert_eq!(urls("nats://secret@a"), Err(BadNatsUrl::Token));
    }

    #[test]
    fn addresses_are_of_nats_servers() {
        for good in ["nats://localhost", "localhost:4222", "tls://10.0.0.1:4222", "nats://[::1]:4222"] {
            assert!(good.parse::<NatsUrl>().is_ok(), "{good}");
        }
        for bad in ["", "http://localhost", "ws://localhost", "nats://", "nats://a b"] {
            assert_eq!(bad.parse::<NatsUrl>(), Err(BadNatsUrl::Address), "{bad:?}");
        }
    }
}
