//! From what is stored to the messages of a history.

use async_nats::jetstream;

use super::wire::{Foreign, Stored};
use shared::cursor::Cursor;
use shared::hub::{Appender, Wake};
use shared::message::Message;

/// The most messages that become visible at once.
const BATCH: usize = 256;

/// The history as far as it is known here.
pub(super) struct Known {
    pub(super) appender: Appender,
    pub(super) position: u64,
    /// The last message that came, and when the stream took it: the stream must still say so.
    pub(super) mark: Option<(u64, i128)>,
}

impl Known {
    /// Takes everything up to an offset for lost, of every topic.
    pub(super) fn lose(&mut self, through: u64) -> Wake {
        self.position = through;
        self.appender.lost_through(through)
    }
}

/// Messages on their way into a history.
pub(super) struct Intake<'a> {
    known: &'a mut Known,
    foreign: &'a mut Vec<Foreign>,
    batch: Vec<Message>,
    taken: usize,
    wakes: Vec<Wake>,
}

impl<'a> Intake<'a> {
    pub(super) fn new(known: &'a mut Known, foreign: &'a mut Vec<Foreign>) -> Self {
        Self { known, foreign, batch: Vec::new(), taken: 0, wakes: Vec::new() }
    }

    pub(super) fn room(&self) -> bool {
        self.taken < BATCH
    }

    /// Takes what has been stored under the next number. Where numbers are missing, what they stood for was given up
    /// before it came here, and of which topics it was is not known.
    pub(super) fn take(&mut self, message: &jetstream::Message) {
        let Some((sequence, nanos)) = place(message) else { return };
        self.lose_before(sequence);
        self.take_next(message, sequence, nanos);
    }

    /// Takes what lies between the last number and this one for lost, of every topic.
    pub(super) fn lose_before(&mut self, sequence: u64) {
        if sequence > self.known.position + 1 {
            self.append();
            let (from, to) = (self.known.position + 1, sequence - 1);
            tracing::debug!(from, to, "messages were given up before they came here");
            self.wakes.push(self.known.lose(to));
        }
    }

    /// As [`Intake::take`], but numbers may be missing. Returns whether it is new, message or not.
    pub(super) fn take_next(&mut self, message: &jetstream::Message, sequence: u64, nanos: i128) -> bool {
        self.taken += 1;
        // A consumer that was made again may have begun too early.
        if sequence <= self.known.position {
            return false;
        }
        self.known.position = sequence;
        self.known.mark = Some((sequence, nanos));
        let stored =
            Stored { subject: &message.subject, headers: message.headers.as_ref(), payload: &message.payload, nanos };
        match stored.message(Cursor { epoch: self.known.appender.epoch(), offset: sequence }) {
            Ok(message) => self.batch.push(message),
            Err(foreign) => {
                if !self.foreign.contains(&foreign) {
                    self.foreign.push(foreign);
                    let subject = message.subject.as_str();
                    tracing::warn!(%foreign, subject, sequence, "passed over what is no message; this is said once");
                }
            }
        }
        true
    }

    fn append(&mut self) {
        if !self.batch.is_empty() {
            self.wakes.push(self.known.appender.append(self.batch.drain(..)));
        }
        self.known.appender.skip_to(self.known.position);
    }

    /// Has everything taken visible. Who waits is to be woken.
    pub(super) fn finish(mut self) -> Vec<Wake> {
        self.append();
        self.wakes
    }
}

/// The number of something stored, and when it was.
pub(super) fn place(message: &jetstream::Message) -> Option<(u64, i128)> {
    let info = message.info().ok()?;
    Some((info.stream_sequence, info.published.unix_timestamp_nanos()))
}
