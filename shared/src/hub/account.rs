//! The part of a history's memory that one entry uses.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::sync::AtomicUsize;
use super::usage::Usage;

/// Set in the sum of a closed account.
const CLOSED: usize = 1 << (usize::BITS - 1);

/// The bytes that one entry has added to the usage of its history, and that are given back when it is evicted.
///
/// A message may be encoded while it is evicted. One atomic holds the sum and the closed bit, so bytes are either in
/// the sum when closing returns it, or refused.
#[derive(Debug)]
pub(crate) struct Account {
    usage: Arc<Usage>,
    sum: AtomicUsize,
}

impl Account {
    /// An account with what the entry itself occupies.
    pub(crate) fn open(usage: Arc<Usage>, bytes: usize) -> Self {
        usage.add(bytes);
        Self { usage, sum: AtomicUsize::new(bytes) }
    }

    pub(crate) fn usage(&self) -> &Usage {
        &self.usage
    }

    /// Adds bytes, unless the account is closed.
    pub(crate) fn add(&self, bytes: usize) {
        // In this order, so that the usage never falls below what is in use.
        self.usage.add(bytes);
        self.enter(bytes);
    }

    /// As [`Account::add`], unless the limit would be exceeded. Returns whether the bytes were added.
    pub(crate) fn try_add(&self, bytes: usize) -> bool {
        self.usage.try_add(bytes) && self.enter(bytes)
    }

    /// Gives back bytes that were added. A closed account has given them back already.
    pub(crate) fn subtract(&self, bytes: usize) {
        if self.update(|sum| sum - bytes) {
            self.usage.subtract(bytes);
        }
    }

    /// Gives back everything, and refuses what comes later.
    pub(crate) fn close(&self) {
        let sum = self.sum.fetch_or(CLOSED, Ordering::AcqRel);
        if sum & CLOSED == 0 {
            self.usage.subtract(sum);
        }
    }

    /// Puts bytes that the usage has counted into the sum, or takes them out of the usage again.
    fn enter(&self, bytes: usize) -> bool {
        let entered = self.update(|sum| sum + bytes);
        if !entered {
            self.usage.subtract(bytes);
        }
        entered
    }

    /// Changes the sum, unless the account is closed. Returns whether it was changed.
    fn update(&self, change: impl Fn(usize) -> usize) -> bool {
        let change = |sum: usize| (sum & CLOSED == 0).then(|| change(sum));
        self.sum.fetch_update(Ordering::AcqRel, Ordering::Acquire, change).is_ok()
    }
}
