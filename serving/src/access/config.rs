//! The flags of access.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use bytesize::ByteSize;
use clap::Args;
use shared::duration::period;
use shared::topic::TopicFilter;
use url::{Host, Url};

use super::secret::Secret;

/// The rights to publish and subscribe.
#[derive(Debug, Clone, Args)]
pub struct AccessConfig {
    /// The secret of tokens that are signed by HS256, of 32 bytes or more. With any key, be it this one or another, the service is closed to
    /// whoever has no token. Other users of the machine can read a command line: prefer --jwt-secret-file
    #[arg(long, env = "PUSH_JWT_SECRET", value_name = "SECRET", hide_env_values = true)]
    pub jwt_secret: Option<Secret>,
    /// A file with the secret of tokens that are signed by HS256; may be given several times, while one secret follows another. Read
    /// again on SIGHUP
    #[arg(long, env = "PUSH_JWT_SECRET_FILE", value_name = "FILE", value_delimiter = ',')]
    pub jwt_secret_file: Vec<PathBuf>,
    /// A file with the public key of tokens, PEM; the key decides among RS256, ES256 and EdDSA. May be given several times. Read again
    /// on SIGHUP
    #[arg(long, env = "PUSH_JWT_PUBLIC_KEY", value_name = "FILE", value_delimiter = ',')]
    pub jwt_public_key: Vec<PathBuf>,
    /// A file or URL with the public keys of tokens, a JSON Web Key Set, of which a token names one by `kid`. Read again at
    /// --jwks-refresh, on SIGHUP, and, at most every 10 s, for a `kid` that is not known
    #[arg(long, env = "PUSH_JWKS", value_name = "FILE|URL", hide_env_values = true)]
    pub jwks: Option<KeySetText>,
    /// The interval at which --jwks is read again. While that fails, the keys that were read last count
    #[arg(long, env = "PUSH_JWKS_REFRESH", value_name = "DURATION", default_value = "5m", value_parser = period)]
    pub jwks_refresh: Duration,
    /// The time that the URL of --jwks has for its answer
    #[arg(long, env = "PUSH_JWKS_TIMEOUT", value_name = "DURATION", default_value = "5s", value_parser = period)]
    pub jwks_timeout: Duration,
    /// The largest --jwks
    #[arg(long, env = "PUSH_JWKS_MAX_BYTES", value_name = "BYTES", default_value = "256 KiB")]
    pub jwks_max_bytes: ByteSize,
    /// The issuer that a token has to name (`iss`); one of them, if given several times
    #[arg(long, env = "PUSH_JWT_ISSUER", value_name = "ISSUER")]
    pub jwt_issuer: Vec<String>,
    /// The audience that a token has to name (`aud`); one of them, if given several times
    #[arg(long, env = "PUSH_JWT_AUDIENCE", value_name = "AUDIENCE")]
    pub jwt_audience: Vec<String>,
    /// Take tokens without `exp` too, which are good for ever
    #[arg(long, env = "PUSH_JWT_ALLOW_ETERNAL")]
    pub jwt_allow_eternal: bool,
    /// Topics that everybody may follow and read without a token, wildcards included; may be given several times
    #[arg(long, env = "PUSH_ANONYMOUS_SUBSCRIBE", value_name = "TOPIC", value_delimiter = ',')]
    pub anonymous_subscribe: Vec<TopicFilter>,
    /// The secret of tickets, of 32 bytes or more. Services that share it take each other's tickets [default: made of the secret of
    /// tokens; without one, at random]
    #[arg(long, env = "PUSH_TICKET_SECRET", value_name = "SECRET", hide_env_values = true)]
    pub ticket_secret: Option<Secret>,
    /// A file with the secret of tickets
    #[arg(long, env = "PUSH_TICKET_SECRET_FILE", value_name = "FILE", conflicts_with = "ticket_secret")]
    pub ticket_secret_file: Option<PathBuf>,
}

impl AccessConfig {
    /// Returns whether there is a key, so that the service is closed.
    pub(crate) fn has_key(&self) -> bool {
        self.jwt_secret.is_some()
            || !self.jwt_secret_file.is_empty()
            || !self.jwt_public_key.is_empty()
            || self.jwks.is_some()
    }

    /// Returns a flag that means something to a closed service alone, if there is one.
    pub(super) fn flag_of_closed(&self) -> Option<&'static str> {
        [
            (!self.jwt_issuer.is_empty(), "--jwt-issuer"),
            (!self.jwt_audience.is_empty(), "--jwt-audience"),
            (self.jwt_allow_eternal, "--jwt-allow-eternal"),
            (!self.anonymous_subscribe.is_empty(), "--anonymous-subscribe"),
            (self.ticket_secret.is_some(), "--ticket-secret"),
            (self.ticket_secret_file.is_some(), "--ticket-secret-file"),
        ]
        .into_iter()
        .find_map(|(is_given, flag)| is_given.then_some(flag))
    }
}

/// The place of a set of keys as it was written. Parsed by [`KeySetText::place`] and not by clap, whose error message would print the URL,
/// password included.
#[derive(Clone)]
pub struct KeySetText(String);

impl KeySetText {
    /// The place.
    ///
    /// # Errors
    /// See [`BadKeySetPlace`].
    pub fn place(&self) -> Result<KeySetPlace, BadKeySetPlace> {
        self.0.parse()
    }
}

impl From<String> for KeySetText {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Debug for KeySetText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeySetText").finish_non_exhaustive()
    }
}

/// The place of a set of keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeySetPlace {
    /// A file.
    File(PathBuf),
    /// An address that is asked by HTTPS, or by HTTP on this machine.
    Url(Url),
}

/// The error for a text that is no place of a set of keys.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum BadKeySetPlace {
    /// Whoever is in between could replace the keys.
    #[error("keys that come over http:// can be replaced on the way; use https://, or http:// with localhost")]
    Unsafe,
    /// Not a URL.
    #[error("write a path, or a URL such as https://id.example.org/jwks.json, without user and password")]
    Malformed,
}

impl FromStr for KeySetPlace {
    type Err = BadKeySetPlace;

    fn from_str(text: &str) -> Result<Self, BadKeySetPlace> {
        if text.is_empty() {
            return Err(BadKeySetPlace::Malformed);
        }
        if !text.contains("://") {
            return Ok(Self::File(text.into()));
        }
        let url = Url::parse(text).map_err(|_| BadKeySetPlace::Malformed)?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(BadKeySetPlace::Malformed);
        }
        match url.scheme() {
            "https" => Ok(Self::Url(url)),
            "http" if is_local(&url) => Ok(Self::Url(url)),
            "http" => Err(BadKeySetPlace::Unsafe),
            _ => Err(BadKeySetPlace::Malformed),
        }
    }
}

/// Returns whether a URL is of this machine.
pub(super) fn is_local(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

impl fmt::Display for KeySetPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            // The query may have a key of the service that is asked.
            Self::Url(url) => write!(f, "{}{}", url.origin().ascii_serialization(), url.path()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_of_keys_is_in_a_file_or_behind_https_or_on_this_machine() {
        let parse = |text: &str| text.parse::<KeySetPlace>();
        for file in ["keys.json", "/etc/push/keys.json", "./a:b"] {
            assert_eq!(parse(file), Ok(KeySetPlace::File(file.into())));
        }
        for url in [
            "https://id.example.org/jwks.json",
            "http://localhost:8081/jwks",
            "http://127.0.0.1/jwks",
            "http://[::1]:1/jwks",
        ] {
            assert!(matches!(parse(url), Ok(KeySetPlace::Url(_))), "{url}");
        }
        for url in ["http://id.example.org/jwks.json", "http://localhost.example.org/", "http://10.0.0.1/"] {
            assert_eq!(parse(url), Err(BadKeySetPlace::Unsafe), "{url}");
        }
        for bad in ["", "ftp://localhost/", "https://", "https://user:password@id.example.org/", "file:///etc/keys"] {
            assert_eq!(parse(bad), Err(BadKeySetPlace::Malformed), "{bad}");
        }
    }
}
