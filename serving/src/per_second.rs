//! A budget of so many per second.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

/// The number of what was taken in the present second, by all threads.
#[derive(Debug, Default)]
pub(crate) struct PerSecond {
    /// The second in the upper half, and the number in it.
    count: AtomicU64,
}

impl PerSecond {
    pub(crate) const fn new() -> Self {
        Self { count: AtomicU64::new(0) }
    }

    /// Takes one from the budget of this second. Returns whether it was within the limit.
    pub(crate) fn take(&self, limit: u64) -> bool {
        let second = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs());
        self.take_at(second, limit)
    }

    fn take_at(&self, second: u64, limit: u64) -> bool {
        let second = second << 32;
        let taken = self.count.load(Ordering::Relaxed);
        if taken >= second + limit {
            return false;
        }
        // Two at once may count as one, which makes one more.
        self.count.store(taken.max(second) + 1, Ordering::Relaxed);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_are_in_the_budget_of_each_second() {
        let budget = PerSecond::new();
        for second in [7, 8] {
            assert_eq!((0..9).filter(|_| budget.take_at(second, 3)).count(), 3);
            assert!(budget.take_at(second, 4), "a larger limit leaves room");
        }
    }
}
