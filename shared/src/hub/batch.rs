//! The messages that a subscriber reads at once.

use std::sync::Arc;

use bytes::Bytes;
use smallvec::SmallVec;
use tokio::time::Instant;

use super::entry::Entry;
use crate::gap::Gap;

/// The messages of one read. The few that most reads find take no allocation.
pub type Entries = SmallVec<[Arc<Entry>; 4]>;

/// The limit of one read, which always takes at least one message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchLimit {
    /// Messages.
    pub messages: usize,
    /// Bytes in the format that is read.
    pub bytes: usize,
}

/// The messages of one read, counted.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    /// All of them.
    pub messages: u32,
    /// Those that were published before the subscription.
    pub replayed: u32,
    /// The time at which the newest of the others was appended here. `None` if there is no other, or memory no longer holds it.
    pub appended: Option<Instant>,
    /// Those that are part of recorded traces, if they are [listed](super::Hub::list_traced).
    pub traced: Vec<Traced>,
}

/// A message that is part of a recorded trace.
#[derive(Debug, Clone)]
pub struct Traced {
    /// The message.
    pub entry: Arc<Entry>,
    /// It was published before the subscription.
    pub is_replayed: bool,
}

impl Tally {
    /// One message, which is not replayed. It is listed if it is traced and `lists_traced`.
    pub fn of_one(entry: &Arc<Entry>, lists_traced: bool) -> Self {
        let traced = lists_traced && entry.message.is_traced();
        let traced = traced.then(|| Traced { entry: Arc::clone(entry), is_replayed: false });
        Self { messages: 1, replayed: 0, appended: entry.appended(), traced: traced.into_iter().collect() }
    }

    /// The same messages, all of them replayed.
    pub(crate) fn of_replay(mut self) -> Self {
        self.traced.iter_mut().for_each(|traced| traced.is_replayed = true);
        Self { replayed: self.messages, appended: None, ..self }
    }
}

/// The result of one read, to be sent in this order: the gap first, then the messages.
#[derive(Debug, Default)]
pub struct Batch {
    /// Messages are missing before those that follow.
    pub gap: Option<Gap>,
    /// The next messages, in order.
    pub entries: Entries,
    /// The messages, counted.
    pub tally: Tally,
    /// There may be more than the limit allowed, or than was fetched or searched so far. After an empty batch, read again when
    /// [changed](super::Subscriber::changed).
    pub more: bool,
}

/// The same for a client that is sent the encoded messages as they are, one after the other.
#[derive(Debug, Default)]
pub struct EncodedBatch {
    /// Messages are missing before those that follow.
    pub gap: Option<Gap>,
    /// The next messages, in order. Shared by subscribers of one topic or pattern that read the same burst.
    pub bytes: Bytes,
    /// The messages, counted.
    pub tally: Tally,
    /// As in [`Batch`].
    pub more: bool,
}

impl Batch {
    /// Returns whether there is neither a gap nor a message.
    pub fn is_empty(&self) -> bool {
        self.gap.is_none() && self.entries.is_empty()
    }
}
