//! The one row of the table `history`.

use rusqlite::{Connection, Row};

use crate::age_clock::AgeReference;
use shared::cursor::Epoch;

/// The one row of the table `history`: what is true of the history as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HistoryRow {
    pub(crate) epoch: Epoch,
    /// The highest offset that was ever given.
    pub(crate) last: u64,
    /// The number of the last eviction.
    pub(crate) evictions: u64,
    pub(crate) messages: u64,
    pub(crate) bytes: u64,
    pub(crate) keys: u64,
    /// The loss of every topic that `topics` does not have, those that never were included.
    pub(crate) lost: FileLoss,
    /// The farthest offset that was lost, of any topic.
    pub(crate) farthest_loss: u64,
    pub(crate) age: AgeReference,
}

/// Messages that are gone from the file: those up to an offset, the last of them by the eviction with a number.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct FileLoss {
    pub(crate) through: u64,
    pub(crate) eviction: u64,
}

impl FileLoss {
    /// Returns whether the loss concerns a reader after an offset which ignores the evictions up to a number.
    pub(crate) fn concerns(self, after: u64, ignored_evictions: u64) -> bool {
        self.through > after && self.eviction > ignored_evictions
    }

    /// The loss that covers both.
    pub(crate) fn or(self, other: Self) -> Self {
        Self { through: self.through.max(other.through), eviction: self.eviction.max(other.eviction) }
    }
}

impl HistoryRow {
    pub(crate) fn read(connection: &Connection) -> Result<Self, rusqlite::Error> {
        let mut statement = connection.prepare_cached(
            "SELECT epoch, last, evictions, messages, bytes, keys, lost_through, lost_eviction, farthest_loss,
                    boot, boot_millis, age_millis FROM history WHERE id = 1",
        )?;
        statement.query_row([], |row| {
            Ok(Self {
                epoch: Epoch::new(number(row, 0)?),
                last: number(row, 1)?,
                evictions: number(row, 2)?,
                messages: number(row, 3)?,
                bytes: number(row, 4)?,
                keys: number(row, 5)?,
                lost: FileLoss { through: number(row, 6)?, eviction: number(row, 7)? },
                farthest_loss: number(row, 8)?,
                age: AgeReference { boot: row.get(9)?, boot_millis: row.get(10)?, age_millis: row.get(11)? },
            })
        })
    }

    pub(crate) fn write(&self, connection: &Connection) -> Result<(), rusqlite::Error> {
        let mut statement = connection.prepare_cached(
            "UPDATE history SET epoch = ?1, last = ?2, evictions = ?3, messages = ?4, bytes = ?5, keys = ?6,
                    lost_through = ?7, lost_eviction = ?8, farthest_loss = ?9,
                    boot = ?10, boot_millis = ?11, age_millis = ?12 WHERE id = 1",
        )?;
        statement.execute((
            self.epoch.number() as i64,
            self.last as i64,
            self.evictions as i64,
            self.messages as i64,
            self.bytes as i64,
            self.keys as i64,
            self.lost.through as i64,
            self.lost.eviction as i64,
            self.farthest_loss as i64,
            &self.age.boot,
            self.age.boot_millis,
            self.age.age_millis,
        ))?;
        Ok(())
    }
}

/// A number of a row. SQLite has signed ones only, which are as good for storing.
pub(crate) fn number(row: &Row<'_>, index: usize) -> Result<u64, rusqlite::Error> {
    row.get::<_, i64>(index).map(|number| number as u64)
}
