//! A page: the messages between two offsets.

use std::sync::Arc;

use shared::hub::{Entry, Fetched};
use shared::message::Message;

/// The most messages in a page.
pub(super) const MAX_MESSAGES: usize = 256;

/// The most memory that a page occupies, in bytes, unless it has but one message.
pub(super) const MAX_BYTES: usize = 512 << 10;

/// All messages of some topics between two offsets.
#[derive(Debug, Clone)]
pub(super) struct Page {
    /// The page begins after this offset.
    pub(super) after: u64,
    /// The page ends with this offset, even if it is that of no message.
    pub(super) through: u64,
    entries: Arc<[Arc<Entry>]>,
    pub(super) bytes: usize,
}

impl Page {
    pub(super) fn new(after: u64, through: u64, entries: Vec<Arc<Entry>>) -> Self {
        let bytes = entries.iter().map(|entry| cost(&entry.message)).sum();
        Self { after, through, entries: entries.into(), bytes }
    }

    /// The rest of the page after an offset within it.
    pub(super) fn rest(&self, after: u64) -> Fetched {
        let read = self.entries.partition_point(|entry| entry.message.id.offset <= after);
        let entries = if read == 0 { Arc::clone(&self.entries) } else { self.entries[read..].into() };
        Fetched::Page { entries, through: self.through, ignored_evictions: 0 }
    }
}

/// The memory that a message occupies in a page, in bytes. Each is encoded in the one format of its service, which takes
/// about as much as the message itself.
pub(super) fn cost(message: &Message) -> usize {
    // The entry, its counts and its pointer, and the allocations of the topic and the encoding.
    const FIXED: usize = size_of::<Entry>() + 16 * size_of::<usize>();
    let event = message.event.as_ref().map_or(0, |event| event.as_str().len());
    FIXED + message.topic.as_str().len() + 2 * (message.text.len() + event)
}
