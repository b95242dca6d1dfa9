//! Where order is decided: everything published passes the backplane, and only the backplane feeds the hub.

mod idempotency;
mod memory;

use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use serde::Serialize;

pub use idempotency::{BadIdempotencyKey, IdempotencyKey, MAX_KEY_BYTES};
pub use memory::Memory;

use crate::cursor::{Cursor, Epoch};
use crate::message::Draft;
use crate::timestamp::Timestamp;
use crate::topic::Topic;

/// How long an idempotency key is remembered.
pub const IDEMPOTENCY_WINDOW: Duration = Duration::from_secs(120);

/// What is published in one step: its messages are appended together, in order.
#[derive(Debug, Clone)]
pub struct Publication {
    /// Where.
    pub topic: Topic,
    /// The messages.
    pub drafts: Vec<Draft>,
    /// A repeat under a key seen in the last [`IDEMPOTENCY_WINDOW`] appends nothing.
    pub key: Option<IdempotencyKey>,
}

/// The backplane's answer, given once it has the messages for good.
#[derive(Debug, Clone)]
pub struct Receipt {
    /// Where the messages are.
    pub placement: Placement,
    /// They were there already: this is the answer to the first publication under the same key.
    pub repeated: bool,
}

/// Where the messages of one publication are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placement {
    /// The history that they are in.
    pub epoch: Epoch,
    /// The topic that they were published on.
    pub topic: Topic,
    /// Their offsets in it.
    pub offsets: Offsets,
}

/// The offsets of one or more messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Offsets {
    /// Each one more than the one before. Of the same size whatever their number, since an answer is kept for each
    /// idempotency key.
    Consecutive {
        /// The offset of the first message.
        first: u64,
        /// The number of messages.
        count: usize,
        /// When the backplane took them.
        at: Timestamp,
    },
    /// Ascending, with messages of others in between: the offset of each, and when the backplane took it.
    Individual(Box<[(u64, Timestamp)]>),
}

impl Placement {
    /// The place of each message, in the order of the drafts.
    pub fn each(&self) -> impl Iterator<Item = Placed<'_>> {
        let count = match &self.offsets {
            Offsets::Consecutive { count, .. } => *count,
            Offsets::Individual(offsets) => offsets.len(),
        };
        (0..count).map(|index| {
            let (offset, at) = match &self.offsets {
                Offsets::Consecutive { first, at, .. } => (first + index as u64, *at),
                Offsets::Individual(offsets) => offsets[index],
            };
            Placed { id: Cursor { epoch: self.epoch, offset }, topic: &self.topic, at }
        })
    }
}

/// Where a message is. As JSON: `{"id":"m3k9x2-42","topic":"main","at":"2026-11-22T07:25:08.123Z"}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Placed<'a> {
    /// The message's id.
    pub id: Cursor,
    /// The topic that it was published on.
    pub topic: &'a Topic,
    /// When the backplane took it.
    pub at: Timestamp,
}

/// Why a publication was not taken. Nothing of it has been appended, unless the error says so.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// Every place for an idempotency key is taken by one of the last two minutes.
    #[error(
        "{limit} idempotency keys were used in the last 2 minutes, the most that are remembered; \
         try again later or raise --idempotency-keys"
    )]
    TooManyKeys {
        /// How many are remembered.
        limit: usize,
    },
    /// What orders the messages is known to be out of reach.
    #[error("nothing can be published now: {0}")]
    NotReady(NotReady),
    /// What orders the messages has not confirmed them in time.
    #[error(
        "the publication was not confirmed ({0}): it may or may not have been taken; \
         repeating it under the same Idempotency-Key is safe, and completes it"
    )]
    InDoubt(String),
    /// What orders the messages takes none so large.
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

/// The seam between the services and what orders their messages.
pub trait Backplane: fmt::Debug + Send + Sync + 'static {
    /// Appends messages to the history, for good.
    fn publish(&self, publication: Publication) -> BoxFuture<'_, Result<Receipt, PublishError>>;

    /// `Err` with the reason when nothing can be published now.
    fn ready(&self) -> Result<(), NotReady>;

    /// `Err` with the reason as long as the history is not known, so that nobody can be given a position in it.
    fn known(&self) -> Result<(), NotReady> {
        Ok(())
    }

    /// Finds out whether a cursor that the hub does not know is of this history all the same, because another process has
    /// come further with it, and tells the hub. `Err` with the reason when that cannot be found out now. `None` where the
    /// hub knows everything.
    fn locate(&self, _cursor: Cursor) -> Option<BoxFuture<'_, Result<(), NotReady>>> {
        None
    }

    /// Whether other processes share the history.
    fn is_shared(&self) -> bool {
        false
    }

    /// Does the backplane's own work for as long as it is polled. Ends only when going on makes no sense, with the reason.
    fn run(self: Arc<Self>) -> BoxFuture<'static, Fatal>;
}
