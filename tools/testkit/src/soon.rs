//! A limit to waiting.

use std::future::Future;
use std::time::Duration;

/// The time after which a test gives up on anything. It never passes in full where things go well.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Awaits something that has to come.
///
/// # Panics
/// When it does not come within [`PATIENCE`].
#[track_caller]
pub fn soon<F: Future>(future: F) -> impl Future<Output = F::Output> {
    let caller = std::panic::Location::caller();
    async move {
        match tokio::time::timeout(PATIENCE, future).await {
            Ok(output) => output,
            Err(_) => panic!("waited {PATIENCE:?} in vain at {caller}"),
        }
    }
}
