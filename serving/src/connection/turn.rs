//! The turns of a connection whose client sends requests without waiting for the answers.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::task::yield_now;

/// The turns of a connection. In each poll of its task it answers one request and lets other tasks run before the next:
/// hyper goes on to the next request within one poll, as long as the client has sent one.
#[derive(Debug, Clone, Default)]
pub(super) struct Turns(Arc<AtomicBool>);

impl Turns {
    /// Begins a turn, with each poll of the connection's task.
    pub(super) fn begin(&self) {
        self.0.store(false, Ordering::Relaxed);
    }

    /// Waits for the next turn, unless this one is not taken yet.
    pub(super) async fn take(&self) {
        while self.0.swap(true, Ordering::Relaxed) {
            yield_now().await;
        }
    }
}
