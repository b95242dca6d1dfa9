//! The address of a NATS server.

use std::fmt;
use std::str::FromStr;

use async_nats::ServerAddr;

use crate::secret::Secret;

/// The address of a NATS server, with a user and password if the URL has them. Those are never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct NatsUrl {
    /// The address without user and password.
    pub address: ServerAddr,
    /// The user and the password, decoded.
    pub login: Option<(String, Secret)>,
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

/// The reason why the URLs of the servers cannot be used.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum BadNatsUrl {
    /// One of them is not the address of a NATS server.
    #[error("--nats: write addresses of NATS servers, such as nats://localhost:4222 or tls://nats.example.org")]
    Address,
    /// They carry different credentials, and one login counts for all servers.
    #[error("--nats: write one user and password for all servers; they differ")]
    Logins,
    /// One of them has a user and no password, which to NATS is a token.
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
    fn addresses_are_of_nats_servers() {
        for good in ["nats://localhost", "localhost:4222", "tls://10.0.0.1:4222", "nats://[::1]:4222"] {
            assert!(good.parse::<NatsUrl>().is_ok(), "{good}");
        }
        for bad in ["", "http://localhost", "ws://localhost", "nats://", "nats://a b"] {
            assert_eq!(bad.parse::<NatsUrl>(), Err(BadNatsUrl::Address), "{bad:?}");
        }
    }
}
