//! Where order is decided: everything published passes the backplane, and only the backplane feeds the hub.

mod idempotency;
mod local;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use serde::Serialize;

pub use idempotency::{BadIdempotencyKey, IdempotencyKey, MAX_KEY_BYTES};
pub use local::Local;

use crate::cursor::Cursor;
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

/// Where the messages of one publication are: one after the other. Of the same size whatever their number, since it is
/// kept for each idempotency key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placement {
    /// The first one's place.
    pub first: Cursor,
    /// How many there are.
    pub count: usize,
    /// The topic that they were published on.
    pub topic: Topic,
    /// When the backplane took them.
    pub at: Timestamp,
}

impl Placement {
    /// Each message's place, in the order of the drafts.
    pub fn each(&self) -> impl Iterator<Item = Placed<'_>> {
        let Cursor { epoch, offset } = self.first;
        let offsets = (offset..).take(self.count);
        offsets.map(move |offset| Placed { id: Cursor { epoch, offset }, topic: &self.topic, at: self.at })
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

/// Why a publication was not taken. Nothing of it has been appended.
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
}

/// The seam between the services and what orders their messages.
pub trait Backplane: fmt::Debug + Send + Sync + 'static {
    /// Appends messages to the history, for good.
    fn publish(&self, publication: Publication) -> BoxFuture<'_, Result<Receipt, PublishError>>;

    /// `Err` with the reason when nothing can be published now.
    fn ready(&self) -> Result<(), String>;

    /// Does the backplane's own work for as long as it is polled; never ends.
    fn run(self: Arc<Self>) -> BoxFuture<'static, ()>;
}
