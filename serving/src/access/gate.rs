//! The gate: from the token or ticket of a request to the rights of its client.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::HeaderMap;
use http::header::ORIGIN;
use jsonwebtoken::Algorithm;
use parking_lot::RwLock;
use ring::rand::{SecureRandom, SystemRandom};
use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer};
use shared::topic::TopicFilter;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::Instant;
use tracing::{error, info, warn};

use super::bad_token::BadToken;
use super::claims::{self, Claims, Demands, RawClaims};
use super::config::{AccessConfig, BadKeySetPlace, KeySetPlace};
use super::credential::{self, Credential};
use super::fetched_keys::{FetchedKeys, Found, KeySetError};
use super::fixed_keys::{FixedKeys, KeyError};
use super::rights::{Access, Rights, TokenRights};
use super::secret::{LEAST_BYTES, Secret};
use super::signatures;
use super::tickets::{self, Asking, Ticket};
use crate::client_address::ClientAddress;
use crate::error_chain::with_sources;
use crate::json_object::Object;
use crate::metrics::{Metrics, TokenRefusals};

/// Decides on the clients of a closed service.
pub(crate) struct Gate {
    config: AccessConfig,
    demands: Demands,
    anonymous: Arc<[TopicFilter]>,
    /// The secret of tickets where no flag has one.
    random: Secret,
    fixed: RwLock<FixedKeys>,
    fetched: Option<FetchedKeys>,
    refused: TokenRefusals,
}

/// The reason why a service cannot be closed as its flags ask for.
#[derive(Debug, thiserror::Error)]
pub enum GateError {
    /// A flag that says something about tokens, and no key.
    #[error(
        "{0} does nothing while the service is open; close it with --jwt-secret-file, --jwt-public-key or --jwks, or leave {0} out"
    )]
    NoKey(&'static str),
    /// See [`KeyError`].
    #[error("a key cannot be used")]
    Key(#[from] KeyError),
    /// See [`BadKeySetPlace`].
    #[error("--jwks: {0}")]
    KeySetPlace(#[from] BadKeySetPlace),
    /// See [`KeySetError`].
    #[error("--jwks: {0}")]
    KeySet(KeySetPlace, #[source] KeySetError),
    /// The system has no random numbers.
    #[error("the system gives no random numbers")]
    NoRandom,
}

/// The reason why a client is not let in.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Shut {
    /// The reason is for the log alone.
    #[error("its token or ticket is not good: {0}")]
    BadToken(#[from] BadToken),
    /// The keys of `--jwks` have never been read.
    #[error("the keys of tokens have not been read yet")]
    NoKeysYet,
}

impl Shut {
    /// The reason as metrics have it, one of a few.
    fn label(&self) -> &'static str {
        match self {
            Self::BadToken(reason) => reason.label(),
            Self::NoKeysYet => "no_keys_yet",
        }
    }
}

/// The facts of a request that the gate does not look for by itself.
#[derive(Debug, Clone)]
pub(crate) struct Asked<'a> {
    pub(crate) headers: &'a HeaderMap,
    /// The ticket of the query.
    pub(crate) ticket: Option<Cow<'a, str>>,
    /// The page that asks is one whose requests count as its user's.
    pub(crate) trusts_cookie: bool,
    /// The page that asks is the service's own.
    pub(crate) is_own: bool,
    /// The client's address, for the log.
    pub(crate) client: Option<ClientAddress>,
}

/// The characters of the name of an unknown key that are logged: anybody can make up one.
const LOGGED_NAME: usize = 64;

/// The header of a token (RFC 7515, section 4.1), as far as it counts. Keys that it brings along are none.
#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    #[serde(default)]
    crit: IsThere,
}

/// True if something is there, whatever it is.
#[derive(Default)]
struct IsThere(bool);

impl<'de> Deserialize<'de> for IsThere {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        IgnoredAny::deserialize(deserializer).map(|_| Self(true))
    }
}

impl Gate {
    /// Returns the gate that the flags ask for; `None` for an open service.
    pub(crate) fn new(config: &AccessConfig, metrics: &Metrics) -> Result<Option<Self>, GateError> {
        if !config.has_key() {
            return config.flag_of_closed().map_or(Ok(None), |flag| Err(GateError::NoKey(flag)));
        }
        signatures::install();
        let mut random = [0; LEAST_BYTES];
        SystemRandom::new().fill(&mut random).map_err(|_| GateError::NoRandom)?;
        let random = Secret::new(random.into());
        let fetched = match &config.jwks {
            Some(text) => {
                let place = text.place()?;
                Some(fetched_keys(&place, config, metrics).map_err(|error| GateError::KeySet(place, error))?)
            }
            None => None,
        };
        let demands = Demands::of(config);
        Ok(Some(Self {
            fixed: RwLock::new(FixedKeys::read(config, &random)?),
            config: config.clone(),
            demands,
            anonymous: config.anonymous_subscribe.as_slice().into(),
            random,
            fetched,
            refused: metrics.refused_tokens().clone(),
        }))
    }

    /// Returns whether tokens can be checked.
    pub(crate) fn has_keys(&self) -> bool {
        self.fetched.as_ref().is_none_or(FetchedKeys::is_known)
    }

    /// Reads the keys again when it is time, and on SIGHUP. Never ends.
    pub(crate) async fn run(&self) {
        let refreshing = async {
            match &self.fetched {
                Some(fetched) => fetched.run().await,
                None => std::future::pending().await,
            }
        };
        tokio::join!(refreshing, self.reread_on_signal());
    }

    async fn reread_on_signal(&self) {
        let mut hangups = match signal(SignalKind::hangup()) {
            Ok(hangups) => hangups,
            Err(error) => return warn!(%error, "keys will not be read again on SIGHUP"),
        };
        while hangups.recv().await.is_some() {
            match FixedKeys::read(&self.config, &self.random) {
                Ok(keys) => {
                    *self.fixed.write() = keys;
                    info!("SIGHUP: the keys are read again");
                }
                Err(error) => error!(
                    error = with_sources(&error),
                    "SIGHUP: the keys cannot be read again; those that were read last count"
                ),
            }
            if let Some(fetched) = &self.fetched {
                fetched.read_again().await;
            }
        }
    }

    /// Finds out what the client of a request may do.
    pub(crate) async fn admit(&self, asked: Asked<'_>) -> Result<Access, Shut> {
        self.try_admit(asked).await.inspect_err(|shut| self.refused.count(shut.label()))
    }

    async fn try_admit(&self, asked: Asked<'_>) -> Result<Access, Shut> {
        let found = credential::find(asked.headers, asked.ticket, asked.trusts_cookie)?;
        let now = claims::now();
        let claims = match found {
            None => None,
            Some(Credential::Token(token)) => Some(self.claims(token, now).await?),
            Some(Credential::Ticket(ticket)) => {
                let origin = asked.headers.get(ORIGIN);
                Some(tickets::redeem(&self.fixed.read().of_tickets, &ticket, origin, now)?)
            }
        };
        Ok(self.access(claims, now, asked.client))
    }

    /// Finds out what a client may do that brings another token on its connection.
    pub(crate) async fn renew(&self, token: &str, client: Option<ClientAddress>) -> Result<Access, Shut> {
        let now = claims::now();
        let claims = self.claims(token, now).await.inspect_err(|shut| self.refused.count(shut.label()))?;
        Ok(self.access(Some(claims), now, client))
    }

    /// Makes a ticket for the client of a request, which has to have a token; `None` if it has none.
    pub(crate) async fn ticket(&self, asked: Asked<'_>) -> Result<Option<Ticket>, Shut> {
        self.try_ticket(asked).await.inspect_err(|shut| self.refused.count(shut.label()))
    }

    async fn try_ticket(&self, asked: Asked<'_>) -> Result<Option<Ticket>, Shut> {
        let found = credential::find(asked.headers, asked.ticket, asked.trusts_cookie)?;
        let now = claims::now();
        let claims = match found {
            None => return Ok(None),
            Some(Credential::Ticket(_)) => return Err(BadToken::TicketForTicket.into()),
            Some(Credential::Token(token)) => self.claims(token, now).await?,
        };
        let asking = Asking { origin: asked.headers.get(ORIGIN), is_own: asked.is_own };
        Ok(self.fixed.read().of_tickets.first().map(|key| key.make(&claims, asking, now)))
    }

    /// Returns the claims of a token that is good at a time, in seconds since the Unix epoch.
    async fn claims(&self, token: &str, now: f64) -> Result<Claims, Shut> {
        let header = header_of(token).ok_or(BadToken::Malformed)?;
        let algorithm: Algorithm = header.alg.parse().map_err(|_| BadToken::Malformed)?;
        if header.crit.0 {
            return Err(BadToken::Critical.into());
        }
        let fixed = self.fixed.read().claims(algorithm, token);
        let raw = match (fixed, &self.fetched) {
            (Some(Ok(raw)), _) => raw,
            (fixed, Some(fetched)) => match fetched_claims(fetched, &header, algorithm, token).await {
                // Its signature may be the fixed key's to check, which says more.
                Err(Shut::BadToken(BadToken::UnknownKey(_) | BadToken::NamesNoKey)) if fixed.is_some() => {
                    return Err(BadToken::Signature.into());
                }
                raw => raw?,
            },
            (Some(Err(error)), None) => return Err(error.into()),
            (None, None) => return Err(BadToken::NoKey(header.alg).into()),
        };
        Ok(raw.check(&self.demands, now)?)
    }

    fn access(&self, claims: Option<Claims>, now: f64, client: Option<ClientAddress>) -> Access {
        let token = claims.map(|Claims { subject, issuer, expires, publish, subscribe }| {
            // The clocks may differ a little for those who come: a token that has just ended ends now.
            let left = expires.and_then(|expires| Duration::try_from_secs_f64((expires - now).max(0.0)).ok());
            let expires_at = left.and_then(|left| Instant::now().checked_add(left));
            let (subject, issuer) = (subject.map(Into::into), issuer.map(Into::into));
            TokenRights { subject, issuer, publish, subscribe, expires, expires_at }
        });
        Access::new(Rights { token, anonymous: Arc::clone(&self.anonymous), client })
    }
}

impl std::fmt::Debug for Gate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Gate").finish_non_exhaustive()
    }
}

/// Makes the set of keys, which is read already where it is a file.
fn fetched_keys(place: &KeySetPlace, config: &AccessConfig, metrics: &Metrics) -> Result<FetchedKeys, KeySetError> {
    let fetched = FetchedKeys::new(place.clone(), config, metrics.key_set().clone())?;
    fetched.read_file()?;
    Ok(fetched)
}

/// Returns the claims of a token that the key of the set has signed which it names.
async fn fetched_claims(
    fetched: &FetchedKeys,
    header: &Header,
    algorithm: Algorithm,
    token: &str,
) -> Result<RawClaims, Shut> {
    match (fetched.get(header.kid.as_deref()).await, &header.kid) {
        (Found::Key(key), _) if key.algorithm() == algorithm => Ok(key.claims(token)?),
        (Found::Key(_), _) => Err(BadToken::OtherAlgorithm(header.alg.clone()).into()),
        (Found::Nothing, Some(name)) => Err(BadToken::UnknownKey(name.chars().take(LOGGED_NAME).collect()).into()),
        (Found::Nothing, None) => Err(BadToken::NamesNoKey.into()),
        (Found::NoSet, _) => Err(Shut::NoKeysYet),
    }
}

fn header_of(token: &str) -> Option<Header> {
    let (header, _) = token.split_once('.')?;
    let header = URL_SAFE_NO_PAD.decode(header).ok()?;
    serde_json::from_slice::<Object<Header>>(&header).ok().map(|Object(header)| header)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extensions_are_asked_for_by_any_value() {
        let asks = |header: &str| {
            let header = header_of(&format!("{}.x.y", URL_SAFE_NO_PAD.encode(header))).unwrap();
            header.crit.0
        };
        assert!(!asks(r#"{"alg":"HS256"}"#));
        for value in ["null", "[]", r#"["exp"]"#, "false"] {
            assert!(asks(&format!(r#"{{"alg":"HS256","crit":{value}}}"#)), "{value}");
        }
    }
}
