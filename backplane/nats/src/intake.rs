//! The way of stored messages into the history.

use crate::history::{Checkpoint, LocalHistory};
use crate::stored_message::{InvalidMessage, StoredMessage};
use shared::hub::Wake;
use shared::message::Message;
use shared::moment::Moment;

/// The most messages that become visible at once.
const MAX_BATCH: usize = 256;

/// The reasons for which stored messages have been skipped, so that each is logged once.
#[derive(Default)]
pub(crate) struct SkipLog(Vec<InvalidMessage>);

impl SkipLog {
    fn record(&mut self, reason: InvalidMessage, message: &StoredMessage<'_>) {
        if !self.0.contains(&reason) {
            self.0.push(reason);
            let (subject, sequence) = (message.subject, message.sequence);
            tracing::warn!(%reason, subject, sequence, "skipped an invalid message; this is logged once per reason");
        }
    }
}

/// A batch of messages on their way into a history.
pub(crate) struct Intake<'a> {
    history: &'a mut LocalHistory,
    skipped: &'a mut SkipLog,
    batch: Vec<(Message, Moment)>,
    taken: usize,
    wakes: Vec<Wake>,
}

impl<'a> Intake<'a> {
    pub(crate) fn new(history: &'a mut LocalHistory, skipped: &'a mut SkipLog) -> Self {
        Self { history, skipped, batch: Vec::new(), taken: 0, wakes: Vec::new() }
    }

    pub(crate) fn has_room(&self) -> bool {
        self.taken < MAX_BATCH
    }

    /// Takes the next stored message. Sequences missing before it were discarded; the stream does not say of which
    /// topics.
    pub(crate) fn take(&mut self, message: &StoredMessage<'_>) {
        self.lose_before(message.sequence);
        self.take_filtered(message);
    }

    /// Declares everything between the position and a sequence lost, of every topic.
    pub(crate) fn lose_before(&mut self, sequence: u64) {
        if sequence > self.history.position + 1 {
            self.append();
            let (from, to) = (self.history.position + 1, sequence - 1);
            tracing::debug!(from, to, "the stream gave messages up before they were read");
            self.wakes.push(self.history.lose(to));
        }
    }

    /// As [`Intake::take`], where missing sequences mean nothing. Returns whether the stored message is new, valid or not.
    pub(crate) fn take_filtered(&mut self, stored: &StoredMessage<'_>) -> bool {
        self.taken += 1;
        // A consumer that the library created again may have begun too early.
        if stored.sequence <= self.history.position {
            return false;
        }
        self.history.position = stored.sequence;
        self.history.checkpoint = Some(Checkpoint { sequence: stored.sequence, stored_at: stored.nanos });
        match stored.message(self.history.epoch()) {
            Ok(message) => self.batch.push((message, self.history.held_since(stored.nanos))),
            Err(reason) => self.skipped.record(reason, stored),
        }
        true
    }

    fn append(&mut self) {
        if !self.batch.is_empty() {
            self.wakes.push(self.history.appender.append_held(self.batch.drain(..)));
        }
        self.history.appender.skip_to(self.history.position);
    }

    /// Makes everything taken visible. The caller wakes the subscribers.
    pub(crate) fn finish(mut self) -> Vec<Wake> {
        self.append();
        self.wakes
    }
}
