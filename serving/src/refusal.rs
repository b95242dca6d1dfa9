//! The reasons why the application refuses to publish or to subscribe.

use std::time::Duration;

use crate::access::{Denied, Shut};
use shared::backplane::{NotReady, PublishError};

/// The reason why a publication or a subscription was refused.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// See [`Denied`].
    #[error(transparent)]
    Denied(#[from] Denied),
    /// The service is shutting down.
    #[error("shutting down")]
    Draining,
    /// A message is larger than `--max-message-bytes`.
    #[error("a message is larger than {limit} bytes")]
    MessageTooLarge {
        /// The limit, in bytes.
        limit: usize,
    },
    /// As many distinct patterns are followed as `--max-patterns` allows.
    #[error("{limit} patterns are followed already")]
    TooManyPatterns {
        /// The limit.
        limit: usize,
    },
    /// As many topics are kept as `--max-topics` allows.
    #[error("{limit} topics are kept already")]
    TooManyTopics {
        /// The limit.
        limit: usize,
    },
    /// The publisher has used up its share of `--idempotency-keys`.
    #[error("the publisher has used {share} idempotency keys")]
    ShareOfKeys {
        /// The keys that it may use in the time for which they are remembered.
        share: usize,
        /// The time after which it may use another one.
        wait: Duration,
    },
    /// The publisher has published more than `--publish-rate` allows.
    #[error("the publisher publishes more than {per_second} messages per second")]
    TooFast {
        /// The messages per second that it may publish.
        per_second: u32,
        /// The time after which it may publish again.
        wait: Duration,
    },
    /// The history cannot be followed or read now.
    #[error("not ready: {0}")]
    NotReady(NotReady),
    /// The backplane did not take it.
    #[error(transparent)]
    Backplane(#[from] PublishError),
}

impl From<Shut> for Refusal {
    fn from(shut: Shut) -> Self {
        match shut {
            Shut::BadToken(_) => Self::Denied(Denied::Unauthorized),
            Shut::NoKeysYet => Self::NotReady(shut.to_string().into()),
        }
    }
}
