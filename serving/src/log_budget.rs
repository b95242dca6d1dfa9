//! The number of lines per second that clients can cause in the log.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

/// `--log-budget`.
static PER_SECOND: AtomicU64 = AtomicU64::new(100);

/// The second in the upper half, and the number of lines in it.
static COUNT: AtomicU64 = AtomicU64::new(0);

/// The kind of a line that a client causes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientLine {
    /// A client has come or gone.
    Connection,
    /// A client has sent something. A quarter of the budget is not for these lines, so that they do not crowd out the others.
    Message,
}

impl ClientLine {
    /// Takes the line from the budget of this second. Returns whether it was in there; else it is to be logged at debug.
    pub fn is_in_budget(self) -> bool {
        let per_second = PER_SECOND.load(Ordering::Relaxed);
        let second = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs());
        take(
            &COUNT,
            second,
            match self {
                Self::Connection => per_second,
                Self::Message => per_second.div_ceil(4) * 3,
            },
        )
    }
}

/// Has so many lines per second be logged.
pub(crate) fn set(per_second: u32) {
    PER_SECOND.store(per_second.into(), Ordering::Relaxed);
}

fn take(count: &AtomicU64, second: u64, limit: u64) -> bool {
    let second = second << 32;
    let logged = count.load(Ordering::Relaxed);
    if logged >= second + limit {
        return false;
    }
    // Two at once may count as one, which makes a line more.
    count.store(logged.max(second) + 1, Ordering::Relaxed);
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_lines_are_in_the_budget_of_each_second() {
        let count = AtomicU64::new(0);
        for second in [7, 8] {
            assert_eq!((0..9).filter(|_| take(&count, second, 3)).count(), 3);
            assert!(take(&count, second, 4), "a larger limit leaves room");
        }
    }
}
