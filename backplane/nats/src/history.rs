//! The history of this process, as far as it has been filled from the stream.

use shared::cursor::{Cursor, Epoch};
use shared::hub::{Appender, Wake};

/// The messages taken from the stream up to a position.
pub(crate) struct LocalHistory {
    pub(crate) appender: Appender,
    pub(crate) position: u64,
    pub(crate) checkpoint: Option<Checkpoint>,
}

/// The last message that came from the stream. The stream holds the same history as long as it has this message under this
/// sequence with this time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Checkpoint {
    pub(crate) sequence: u64,
    /// The time at which the stream stored it, in nanoseconds since the Unix epoch.
    pub(crate) stored_at: i128,
}

impl LocalHistory {
    /// A history that begins after a position.
    pub(crate) fn new(mut appender: Appender, position: u64) -> Self {
        appender.skip_to(position);
        Self { appender, position, checkpoint: None }
    }

    pub(crate) fn epoch(&self) -> Epoch {
        self.appender.epoch()
    }

    pub(crate) fn cursor(&self) -> Cursor {
        Cursor { epoch: self.epoch(), offset: self.position }
    }

    /// Declares everything up to an offset lost, of every topic.
    pub(crate) fn lose(&mut self, through: u64) -> Wake {
        self.position = through;
        self.appender.lost_through(through)
    }
}
