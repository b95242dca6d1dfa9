//! What a subscriber reads at once.

use bytes::Bytes;

use super::Entries;
use super::format::Format;
use crate::gap::Gap;

/// How much is read at once; always at least one message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchLimit {
    /// Messages.
    pub messages: usize,
    /// Bytes in the format that is read.
    pub bytes: usize,
}

/// What a subscriber has to tell its client: the gap first, then the messages.
#[derive(Debug, Default)]
pub struct Batch {
    /// Messages are missing before those that follow.
    pub gap: Option<Gap>,
    /// The next messages, in order.
    pub entries: Entries,
    /// There are more than the limit allowed, or than have been fetched: read again after [`super::Subscriber::changed`].
    pub more: bool,
}

/// The same for a client that is sent the encoded messages as they are, one after the other.
#[derive(Debug, Default)]
pub struct EncodedBatch {
    /// Messages are missing before those that follow.
    pub gap: Option<Gap>,
    /// The next messages, in order. The same memory for all who read the same.
    pub bytes: Bytes,
    /// As in [`Batch`].
    pub more: bool,
}

impl Batch {
    /// There is nothing to tell.
    pub fn is_empty(&self) -> bool {
        self.gap.is_none() && self.entries.is_empty()
    }
}

/// Shortens to the limit. Returns whether anything was cut off.
pub(super) fn cut_to(entries: &mut Entries, format: &'static Format, limit: BatchLimit) -> bool {
    let mut bytes = 0;
    let fits = entries.iter().take(limit.messages).take_while(|entry| {
        bytes += entry.encoded(format).len();
        bytes <= limit.bytes
    });
    let keep = fits.count().max(1);
    let more = entries.len() > keep;
    entries.truncate(keep);
    more
}
