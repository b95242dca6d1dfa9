//! The reasons why a backplane cannot do its work.

use std::borrow::Cow;
use std::error::Error;
use std::time::Duration;

/// The reason why a publication was refused. Nothing of it has been appended, unless the error says so.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// As many idempotency keys as are remembered were used in the last two minutes.
    #[error(
        "{limit} idempotency keys were used in the last 2 minutes, the most that are remembered; \
         try again later or raise --idempotency-keys"
    )]
    TooManyKeys {
        /// The number of keys that are remembered.
        limit: usize,
        /// The time after which the oldest of them is forgotten.
        wait: Duration,
    },
    /// The publisher has used up its share of the keys that are remembered.
    #[error("the publisher has used up its share of the idempotency keys of the last 2 minutes")]
    ShareOfKeys,
    /// The idempotency key was used for another publication in the last two minutes.
    #[error(
        "this key was used for another publication in the last 2 minutes, and nothing was taken; \
         use a new key, for example a UUID, for each publication, and the same one only to repeat it unchanged"
    )]
    KeyReused,
    /// The backplane is out of reach.
    #[error("nothing can be published now: {0}")]
    NotReady(NotReady),
    /// The backplane has not confirmed the messages in time.
    #[error(
        "the publication was not confirmed ({0}): it may or may not have been taken; \
         repeating it under the same Idempotency-Key is safe, and completes it"
    )]
    InDoubt(String),
    /// The backplane takes no message so large.
    #[error(
        "a message, with its headers, is larger than the {limit} bytes that NATS takes; send less or raise its limits"
    )]
    TooLarge {
        /// Its limit, in bytes.
        limit: usize,
    },
}

/// The reason why a backplane cannot be used now, in words for people.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NotReady(pub Cow<'static, str>);

impl<T: Into<Cow<'static, str>>> From<T> for NotReady {
    fn from(reason: T) -> Self {
        Self(reason.into())
    }
}

/// The reason why a backplane can never be used, so that the process has to end.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct Fatal(Box<dyn Error + Send + Sync>);

impl Fatal {
    /// Takes the error of a backplane.
    pub fn new(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self(error.into())
    }
}
