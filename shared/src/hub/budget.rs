//! The limit of one read as it is used up.

use std::sync::Arc;

use bytes::Bytes;

use super::batch::{BatchLimit, Entries, Tally, Traced};
use super::entry::Entry;
use super::format::Format;

/// The messages and bytes that may still be added to a batch: the one rule by which messages are counted against a limit.
pub(crate) struct Budget {
    format: &'static Format,
    left: BatchLimit,
    /// The offset of the last message that was added.
    last: Option<u64>,
    /// The offset up to which messages are replayed.
    replay_through: u64,
    lists_traced: bool,
    tally: Tally,
}

/// The messages of a batch: themselves, or their encodings.
pub(crate) trait Body: Default {
    /// Adds a message.
    fn add(&mut self, entry: &Arc<Entry>, encoded: Bytes);
}

impl Budget {
    /// The budget of a subscriber that has joined at an offset, up to which messages are replayed. Traced ones are listed if `lists_traced`.
    pub(crate) fn new(format: &'static Format, limit: BatchLimit, replay_through: u64, lists_traced: bool) -> Self {
        Self { format, left: limit, last: None, replay_through, lists_traced, tally: Tally::default() }
    }

    /// The messages that were added, counted.
    pub(crate) fn into_tally(self) -> Tally {
        self.tally
    }

    /// The offset of the last message that was added.
    pub(crate) fn last(&self) -> Option<u64> {
        self.last
    }

    /// Adds messages as long as they fit. Returns whether all of them fitted.
    pub(crate) fn fill<'a>(&mut self, body: &mut impl Body, entries: impl Iterator<Item = &'a Arc<Entry>>) -> bool {
        for entry in entries {
            let Some(encoded) = self.admit(entry) else { return false };
            body.add(entry, encoded);
        }
        true
    }

    /// The encoding of a message that fits. The first one always does.
    fn admit(&mut self, entry: &Arc<Entry>) -> Option<Bytes> {
        let first = self.last.is_none();
        if self.left.messages == 0 && !first {
            return None;
        }
        let encoded = entry.encoded(self.format);
        if encoded.len() > self.left.bytes && !first {
            return None;
        }
        self.left.messages = self.left.messages.saturating_sub(1);
        self.left.bytes = self.left.bytes.saturating_sub(encoded.len());
        self.last = Some(entry.offset());
        self.tally.messages += 1;
        let is_replayed = entry.offset() <= self.replay_through;
        if is_replayed {
            self.tally.replayed += 1;
        } else {
            self.tally.appended = entry.appended();
        }
        if self.lists_traced && entry.message.is_traced() {
            self.tally.traced.push(Traced { entry: Arc::clone(entry), is_replayed });
        }
        Some(encoded)
    }
}

impl Body for Entries {
    fn add(&mut self, entry: &Arc<Entry>, _: Bytes) {
        self.push(Arc::clone(entry));
    }
}
