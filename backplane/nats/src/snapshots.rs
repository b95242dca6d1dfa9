//! One snapshot of the stream for all who need one at the same time.

use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::stream::{StreamError, StreamSnapshot};

/// The outcome of a request for a snapshot.
type Outcome = Result<StreamSnapshot, StreamError>;

/// The last snapshot. One is taken at a time, and it is shared by all whose calls were made before it was begun.
#[derive(Default)]
pub(crate) struct Snapshots {
    last: Mutex<Option<(Instant, Outcome)>>,
}

impl Snapshots {
    /// Returns a snapshot that was begun after the call, however many calls there are at once.
    pub(crate) async fn take<R>(&self, request: impl FnOnce() -> R) -> Outcome
    where
        R: Future<Output = Outcome>,
    {
        let called = Instant::now();
        let mut last = self.last.lock().await;
        if let Some((began, outcome)) = &*last
            && *began > called
        {
            return outcome.clone();
        }
        let began = Instant::now();
        let outcome = request().await;
        *last = Some((began, outcome.clone()));
        outcome
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::time::Duration;

    use futures_util::future::join_all;
    use tokio::time::sleep;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn many_share_a_snapshot_that_was_begun_after_their_calls() {
        let (snapshots, count) = (Snapshots::default(), Cell::new(0));
        let request = || async {
            count.set(count.get() + 1);
            sleep(Duration::from_millis(10)).await;
            Err(StreamError::Missing { stream: count.get().to_string() })
        };
        let stream = |outcome: Outcome| match outcome {
            Err(StreamError::Missing { stream }) => stream,
            other => panic!("{other:?}"),
        };
        let call = async |after| {
            sleep(Duration::from_millis(after)).await;
            stream(snapshots.take(request).await)
        };
        // The first is begun at once, and may lack what those who call later have seen.
        let outcomes = join_all([0, 1, 2, 9].map(call)).await;
        assert_eq!(outcomes, ["1", "2", "2", "2"]);
        assert_eq!(stream(snapshots.take(request).await), "3");
    }
}
