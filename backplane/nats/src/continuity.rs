//! The check that the stream still holds what was taken from it.
//!
//! A server that has lost its latest messages, in a crash of its machine for instance, gives their sequences to new
//! messages, and nobody would miss the lost ones. So the stream then gets a new epoch: it holds another history.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::history::LocalHistory;
use crate::interruption::Interruption;
use crate::stream::{HistoryStream, StreamSnapshot};

/// The time for which a stream may end before the position of the history until it counts as shortened: a server that has
/// just become the leader may not have caught up.
const GRACE: Duration = Duration::from_secs(2);

/// The pause between two snapshots.
const PAUSE: Duration = Duration::from_millis(200);

/// Checks that the stream still holds what was taken from it, and gives it a new epoch if it does not.
pub(crate) async fn check(
    stream: &HistoryStream,
    history: &LocalHistory,
    snapshot: &StreamSnapshot,
) -> Result<(), Interruption> {
    let mut snapshot = snapshot.clone();
    let began = Instant::now();
    while snapshot.last < history.position {
        if began.elapsed() >= GRACE {
            return renew_epoch(stream, &snapshot).await;
        }
        sleep(PAUSE).await;
        let before = snapshot.epoch();
        snapshot = stream.inspect_or_create().await?;
        if snapshot.epoch() != before {
            return Err(Interruption::Restart);
        }
    }
    if let Some(checkpoint) = history.checkpoint
        && let Some(stored_at) = stream.stored_at(checkpoint.sequence).await?
        && stored_at != checkpoint.stored_at
    {
        return renew_epoch(stream, &snapshot).await;
    }
    Ok(())
}

async fn renew_epoch(stream: &HistoryStream, snapshot: &StreamSnapshot) -> Result<(), Interruption> {
    tracing::error!("the stream has lost messages that it had confirmed; it begins a new history");
    stream.renew_epoch(snapshot).await?;
    Err(Interruption::Restart)
}
