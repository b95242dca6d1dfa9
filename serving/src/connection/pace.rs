//! The pace of a client that sends requests without waiting for the answers.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::task::yield_now;

/// The pace of a connection: one request in each poll of its task, so that other tasks run before the next. hyper by itself
/// goes on to the next request within one poll, as long as the client has sent one.
#[derive(Debug, Clone, Default)]
pub(super) struct Pace {
    /// True when this poll has its request.
    taken: Arc<AtomicBool>,
}

impl Pace {
    /// Begins a poll of the connection's task.
    pub(super) fn begin_poll(&self) {
        self.taken.store(false, Ordering::Relaxed);
    }

    /// Waits for a poll that has no request yet, and takes it.
    pub(super) async fn next(&self) {
        while self.taken.swap(true, Ordering::Relaxed) {
            yield_now().await;
        }
    }
}
