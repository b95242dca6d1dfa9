//! The first read of the stream: from the stored messages to a history.

use std::time::Duration;

use futures_util::FutureExt;
use tokio::time::timeout;

use crate::consumer::{Consumer, Delivery};
use crate::history::LocalHistory;
use crate::intake::{Intake, SkipLog};
use crate::interruption::Interruption;
use crate::losses::FirstRead;
use crate::replica::Replica;
use crate::stored_message::StoredMessage;
use crate::stream::StreamSnapshot;
use shared::hub::Appender;

/// The time without a message after which another snapshot is taken: the stream may have given up what was still to come.
const QUIET: Duration = Duration::from_secs(1);

/// Reads what the stream holds. Messages that may be missing count as lost, by the rules of `losses`.
pub(crate) async fn fill(
    replica: &Replica,
    appender: Appender,
    snapshot: &StreamSnapshot,
    skipped: &mut SkipLog,
) -> Result<(LocalHistory, Consumer), Interruption> {
    let history = LocalHistory::new(appender, snapshot.first.saturating_sub(1), snapshot.clock);
    let (consumer, snapshot) = Consumer::create(replica, history.position, snapshot).await?;
    let mut fill = Fill { replica, history, consumer, first_read: FirstRead::default(), skipped };
    fill.read_to(&snapshot, false).await?;
    // Everything up to here that is still stored has been read. The last stretch reaches to the present end.
    let snapshot = same_stream(replica, &snapshot).await?;
    fill.read_to(&snapshot, true).await?;

    let Fill { mut history, consumer, first_read, .. } = fill;
    first_read.finish(&mut history.appender, &snapshot);
    Ok((history, consumer))
}

struct Fill<'a> {
    replica: &'a Replica,
    history: LocalHistory,
    consumer: Consumer,
    first_read: FirstRead,
    skipped: &'a mut SkipLog,
}

impl Fill<'_> {
    /// Reads to where the stream ended when the snapshot was taken. On the last stretch, missing messages count as lost of
    /// every topic.
    async fn read_to(&mut self, snapshot: &StreamSnapshot, last_stretch: bool) -> Result<(), Interruption> {
        while self.history.position < snapshot.last {
            self.report(snapshot);
            match timeout(QUIET, self.consumer.next()).await {
                Ok(delivery) => self.take(delivery, last_stretch)?,
                Err(_) => {
                    let now = same_stream(self.replica, snapshot).await?;
                    if now.first > self.history.position + 1 {
                        // There are no subscribers to wake yet.
                        drop(self.history.lose(now.first - 1));
                    }
                }
            }
        }
        Ok(())
    }

    /// Takes a message, and those that are already here.
    fn take(&mut self, first: Delivery, last_stretch: bool) -> Result<(), Interruption> {
        let mut intake = Intake::new(&mut self.history, self.skipped);
        let mut next = Some(first);
        while let Some(delivery) = next.take() {
            let message = self.consumer.trusted(delivery)?;
            let Some(message) = StoredMessage::delivered(&message) else { break };
            if last_stretch {
                intake.lose_before(message.sequence);
            }
            if intake.take_filtered(&message) {
                self.first_read.record(message.subject, message.sequence);
            }
            if intake.has_room() {
                next = self.consumer.next().now_or_never();
            }
        }
        // There are no subscribers to wake yet.
        drop(intake.finish());
        Ok(())
    }

    fn report(&self, snapshot: &StreamSnapshot) {
        let read = (self.history.position + 1).saturating_sub(snapshot.first);
        let total = snapshot.last + 1 - snapshot.first;
        self.replica.set_failure(format!("filling the history: {read} of {total}"));
    }
}

/// Takes a snapshot of the stream, which has to be the one that it was `before`.
async fn same_stream(replica: &Replica, before: &StreamSnapshot) -> Result<StreamSnapshot, Interruption> {
    let snapshot = replica.stream.snapshot().await?;
    if snapshot.epoch() == before.epoch() { Ok(snapshot) } else { Err(Interruption::Restart) }
}
