//! The rights of a client.

use std::sync::Arc;

use shared::topic::{Topic, TopicFilter};
use tokio::time::Instant;

use crate::client_address::ClientAddress;

/// The things that a client may do: an argument of publishing and subscribing.
#[derive(Debug, Clone)]
pub struct Access(
    /// Absent where the service is open.
    Option<Arc<Rights>>,
);

/// The rights of a client of a closed service.
#[derive(Debug)]
pub(super) struct Rights {
    /// Absent without a token.
    pub(super) token: Option<TokenRights>,
    /// The topics that everybody may follow.
    pub(super) anonymous: Arc<[TopicFilter]>,
    /// The client's address, for the log.
    pub(super) client: Option<ClientAddress>,
}

/// The rights that a token gives.
#[derive(Debug)]
pub(super) struct TokenRights {
    pub(super) subject: Option<Arc<str>>,
    /// Its issuer, where there may be several.
    pub(super) issuer: Option<Arc<str>>,
    pub(super) publish: Vec<TopicFilter>,
    pub(super) subscribe: Vec<TopicFilter>,
    /// The end of the token, in seconds since the Unix epoch. `None` if it has none.
    pub(super) expires: Option<f64>,
    /// The same by the clock that timers go by.
    pub(super) expires_at: Option<Instant>,
}

/// The reason why a client may not do what it asks for.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
pub enum Denied {
    /// There is no token, or not a good one.
    #[error("it has no token")]
    Unauthorized,
    /// The token is good, but not for this.
    #[error("its token's claim `{claim}` does not cover {topic:?}")]
    Forbidden {
        /// `publish` or `subscribe`.
        claim: &'static str,
        /// The topic or pattern that was asked for.
        topic: String,
    },
    /// A token that follows another one is of another subject (`sub`).
    #[error("its new token is of another subject than the one before")]
    OtherSubject,
}

impl Access {
    /// Every right: where the service is open, and for tests.
    pub const EVERYTHING: Self = Self(None);

    pub(super) fn new(rights: Rights) -> Self {
        Self(Some(Arc::new(rights)))
    }

    /// Fails unless the client may publish on a topic.
    ///
    /// # Errors
    /// See [`Denied`].
    pub fn check_publish(&self, topic: &Topic) -> Result<(), Denied> {
        let Some(rights) = self.0.as_deref() else { return Ok(()) };
        let token = rights.token.as_ref().ok_or(Denied::Unauthorized)?;
        if token.publish.iter().any(|filter| filter.matches(topic)) {
            return Ok(());
        }
        Err(Denied::Forbidden { claim: "publish", topic: topic.to_string() })
    }

    /// Fails unless the client may follow and read all of these: one pattern of the token has to cover the whole of each of them.
    ///
    /// # Errors
    /// See [`Denied`].
    pub fn check_subscribe(&self, filters: &[TopicFilter]) -> Result<(), Denied> {
        let Some(rights) = self.0.as_deref() else { return Ok(()) };
        let claimed = rights.token.as_ref().map(|token| token.subscribe.as_slice()).unwrap_or_default();
        let is_covered = |filter| claimed.iter().chain(&*rights.anonymous).any(|pattern| pattern.covers(filter));
        match filters.iter().find(|filter| !is_covered(filter)) {
            None => Ok(()),
            Some(_) if rights.token.is_none() => Err(Denied::Unauthorized),
            Some(filter) => Err(Denied::Forbidden { claim: "subscribe", topic: filter.to_string() }),
        }
    }

    /// Fails unless there is a good token, or the service is open.
    ///
    /// # Errors
    /// See [`Denied`].
    pub fn check_token(&self) -> Result<(), Denied> {
        if self.0.is_none() || self.has_token() { Ok(()) } else { Err(Denied::Unauthorized) }
    }

    /// The address of the client of a closed service, for the log.
    pub(crate) fn client(&self) -> Option<ClientAddress> {
        self.0.as_deref()?.client
    }

    /// Returns whether there is a good token.
    pub fn has_token(&self) -> bool {
        self.token().is_some()
    }

    /// The time at which the rights end. `None` if they do not.
    pub fn expires_at(&self) -> Option<Instant> {
        self.token()?.expires_at
    }

    /// The same in seconds since the Unix epoch, as the token has it.
    pub fn expires(&self) -> Option<f64> {
        self.token()?.expires
    }

    /// The subject of the token, if it names one.
    pub(crate) fn subject(&self) -> Option<&Arc<str>> {
        self.token()?.subject.as_ref()
    }

    /// The issuer of the token, where there may be several.
    pub(crate) fn issuer(&self) -> Option<&Arc<str>> {
        self.token()?.issuer.as_ref()
    }

    fn token(&self) -> Option<&TokenRights> {
        self.0.as_deref()?.token.as_ref()
    }
}
