//! The memory that a history uses.

use std::sync::atomic::Ordering;

use super::sync::{AtomicU64, AtomicUsize};

/// The number of newest offsets that count as recent. Encodings of recent messages are kept even where the limit is
/// reached, since many subscribers are about to read them.
const RECENT: u64 = 1024;

/// The memory that a history uses, in bytes. Its appender and its entries count in it.
#[derive(Debug)]
pub(crate) struct Usage {
    limit: usize,
    bytes: AtomicUsize,
    /// Messages after this offset are recent.
    recent_after: AtomicU64,
}

impl Usage {
    pub(crate) fn new(limit: usize) -> Self {
        Self { limit, bytes: AtomicUsize::new(0), recent_after: AtomicU64::new(0) }
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Acquire)
    }

    pub(crate) fn exceeds_limit(&self) -> bool {
        self.bytes() > self.limit
    }

    pub(crate) fn add(&self, bytes: usize) {
        self.bytes.fetch_add(bytes, Ordering::AcqRel);
    }

    /// Adds bytes unless the limit would be exceeded. Returns whether they were added.
    pub(crate) fn try_add(&self, bytes: usize) -> bool {
        let fits = |used: usize| used.checked_add(bytes).filter(|used| *used <= self.limit);
        self.bytes.fetch_update(Ordering::AcqRel, Ordering::Acquire, fits).is_ok()
    }

    pub(crate) fn subtract(&self, bytes: usize) {
        self.bytes.fetch_sub(bytes, Ordering::AcqRel);
    }

    /// Notes the offset of the newest message, which decides which messages are recent.
    pub(crate) fn advance(&self, head: u64) {
        self.recent_after.fetch_max(head.saturating_sub(RECENT), Ordering::AcqRel);
    }

    pub(crate) fn is_recent(&self, offset: u64) -> bool {
        offset > self.recent_after.load(Ordering::Acquire)
    }
}
