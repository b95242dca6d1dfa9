//! The history of this process, as far as it has been filled from the stream.

use crate::stream::StreamClock;
use shared::cursor::{Cursor, Epoch};
use shared::hub::{Appender, Wake};
use shared::moment::Moment;

/// The messages taken from the stream up to a position.
pub(crate) struct LocalHistory {
    pub(crate) appender: Appender,
    pub(crate) position: u64,
    pub(crate) checkpoint: Option<Checkpoint>,
    pub(crate) clock: StreamClock,
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
    pub(crate) fn new(mut appender: Appender, position: u64, clock: StreamClock) -> Self {
        appender.skip_to(position);
        Self { appender, position, checkpoint: None, clock }
    }

    pub(crate) fn epoch(&self) -> Epoch {
        self.appender.epoch()
    }

    pub(crate) fn cursor(&self) -> Cursor {
        Cursor { epoch: self.epoch(), offset: self.position }
    }

    /// The moment since which a message counts as held that the stream stored at a time, in nanoseconds since the Unix epoch.
    pub(crate) fn held_since(&self, stored_at: i128) -> Moment {
        self.appender.now().earlier_by(self.clock.age(stored_at))
    }

    /// Declares everything up to an offset lost, of every topic.
    pub(crate) fn lose(&mut self, through: u64) -> Wake {
        self.position = through;
        self.appender.lost_through(through)
    }
}
