//! The number of lines per second that clients can cause in the log.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::per_second::PerSecond;

/// `--log-budget`.
static PER_SECOND: AtomicU64 = AtomicU64::new(100);

static LINES: PerSecond = PerSecond::new();

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
        LINES.take(match self {
            Self::Connection => per_second,
            Self::Message => per_second.div_ceil(4) * 3,
        })
    }
}

/// Has so many lines per second be logged.
pub(crate) fn set(per_second: u32) {
    PER_SECOND.store(per_second.into(), Ordering::Relaxed);
}
