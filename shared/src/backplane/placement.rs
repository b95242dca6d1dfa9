//! The place of published messages in a history.

use serde::Serialize;

use crate::cursor::{Cursor, Epoch};
use crate::timestamp::Timestamp;
use crate::topic::Topic;

/// The place of the messages of one publication.
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
        /// The time at which the backplane took them.
        at: Timestamp,
    },
    /// Ascending, with messages of others in between: the offset of each, and the time at which the backplane took it.
    Individual(Box<[(u64, Timestamp)]>),
}

impl Placement {
    /// The place of each message, in the order of the drafts.
    pub(super) fn each(&self, repeated: bool) -> impl Iterator<Item = Placed<'_>> {
        let count = match &self.offsets {
            Offsets::Consecutive { count, .. } => *count,
            Offsets::Individual(offsets) => offsets.len(),
        };
        (0..count).map(move |index| {
            let (offset, at) = match &self.offsets {
                Offsets::Consecutive { first, at, .. } => (first + index as u64, *at),
                Offsets::Individual(offsets) => offsets[index],
            };
            Placed { id: Cursor { epoch: self.epoch, offset }, topic: &self.topic, at, repeated }
        })
    }
}

/// The place of one message. As JSON: `{"id":"m3k9x2-42","topic":"main","at":"2026-11-22T07:25:08.123Z"}`, with
/// `"repeated":true` where the publication was a repeat.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Placed<'a> {
    /// The message's id.
    pub id: Cursor,
    /// The topic that it was published on.
    pub topic: &'a Topic,
    /// The time at which the backplane took it.
    pub at: Timestamp,
    /// An earlier publication under the same key put it there.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub repeated: bool,
}
