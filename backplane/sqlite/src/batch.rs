//! The messages and losses that the follower takes at once.

use rusqlite::Connection;

use crate::age_clock::BootTime;
use crate::history_row::{HistoryRow, number};
use crate::stored_message::{COLUMNS, StoredMessage, TopicNames, parse};
use crate::trouble::Trouble;
use shared::message::Message;
use shared::topic::Topic;

/// The most messages of a batch, which become visible at once.
const MAX_MESSAGES: usize = 256;

/// The bytes of text from which on a batch takes no further message.
const MAX_BYTES: usize = 1 << 20;

/// The last message that was taken from the file. It holds the same history as long as it has this message under this offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Checkpoint {
    pub(crate) offset: u64,
    /// The fingerprint of its [`StoredMessage`].
    pub(crate) fingerprint: u64,
}

impl Checkpoint {
    fn of(message: &StoredMessage) -> Self {
        Self { offset: message.offset, fingerprint: message.fingerprint() }
    }

    /// The checkpoint of a message that the file has, if it still has it.
    fn at(connection: &Connection, offset: u64) -> Result<Option<Self>, rusqlite::Error> {
        let mut statement = connection.prepare_cached(&format!("SELECT {COLUMNS} FROM messages WHERE offset = ?1"))?;
        let mut rows = statement.query([offset as i64])?;
        Ok(rows.next()?.map(StoredMessage::from_row).transpose()?.map(|message| Self::of(&message)))
    }
}

/// The position of a follower in the file. Whatever comes after a place is the same for every follower that is there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Place {
    /// Everything up to this offset has been taken.
    pub(crate) position: u64,
    checkpoint: Option<Checkpoint>,
    /// Losses by evictions up to this one are known.
    evictions: u64,
    /// The loss of every topic up to this offset is known.
    lost_in_all: u64,
}

impl Place {
    /// The place after an offset, of a reader who knows of no losses behind it.
    pub(crate) fn after(position: u64) -> Self {
        Self { position, ..Self::default() }
    }

    /// The place at the end of the file, of a reader who knows all that the row tells.
    pub(crate) fn at_end(connection: &Connection, row: &HistoryRow) -> Result<Self, rusqlite::Error> {
        Ok(Self {
            position: row.last,
            checkpoint: Checkpoint::at(connection, row.last)?,
            evictions: row.evictions,
            lost_in_all: row.lost.through,
        })
    }

    /// The place behind the message of a checkpoint, if nothing was lost in between.
    pub(crate) fn behind(self, checkpoint: Checkpoint) -> Self {
        Self { position: checkpoint.offset, checkpoint: Some(checkpoint), ..self }
    }
}

/// The messages and losses after a place in the file, as of one transaction.
#[derive(Debug)]
pub(crate) struct Batch {
    pub(crate) row: HistoryRow,
    /// The value of the age clock.
    pub(crate) age: i64,
    /// The file has another message under the offset of the checkpoint, or ends before the place.
    pub(crate) diverged: bool,
    /// The offset up to which messages after the place may be gone, of every topic.
    pub(crate) lost_in_all: Option<u64>,
    /// Topics of which messages after the place are gone, up to an offset.
    pub(crate) lost: Vec<(Topic, u64)>,
    /// The messages, each with the value of the age clock when it was stored.
    pub(crate) messages: Vec<(Message, i64)>,
    /// The place behind the messages.
    pub(crate) next: Place,
}

impl Batch {
    /// The messages that a transaction adds after a place, and the row and the value of the age clock that it leaves.
    pub(crate) fn added(row: HistoryRow, age: i64, messages: Vec<(Message, i64)>, next: Place) -> Self {
        Self { row, age, diverged: false, lost_in_all: None, lost: Vec::new(), messages, next }
    }

    pub(crate) fn read(connection: &Connection, place: Place) -> Result<Self, Trouble> {
        let transaction = connection.unchecked_transaction()?;
        let row = HistoryRow::read(&transaction)?;
        let age = row.age.age_at(&BootTime::now());
        let diverged = row.last < place.position || !holds(&transaction, place.checkpoint)?;
        let lost = if row.evictions > place.evictions { losses(&transaction, place)? } else { Vec::new() };
        let lost_in_all = Some(row.lost.through).filter(|through| *through > place.position.max(place.lost_in_all));
        let mut batch = Self { row, age, diverged, lost_in_all, lost, messages: Vec::new(), next: place };
        if !diverged && batch.row.last > place.position {
            batch.read_messages(&transaction)?;
        }
        batch.next.evictions = batch.row.evictions;
        batch.next.lost_in_all = batch.row.lost.through;
        Ok(batch)
    }

    fn read_messages(&mut self, connection: &Connection) -> Result<(), Trouble> {
        let mut statement = connection.prepare_cached(&format!(
            "SELECT {COLUMNS} FROM messages WHERE offset > ?1 ORDER BY offset LIMIT {MAX_MESSAGES}"
        ))?;
        let mut names = TopicNames::new(connection);
        let mut rows = statement.query([self.next.position as i64])?;
        let mut bytes = 0;
        while bytes < MAX_BYTES {
            let Some(row) = rows.next()? else { break };
            let stored = StoredMessage::from_row(row)?;
            bytes += stored.bytes();
            let (topic, held_since) = (stored.topic, stored.held_since);
            self.next = self.next.behind(Checkpoint::of(&stored));
            self.messages.push((stored.into_message(self.row.epoch, names.find(topic)?)?, held_since));
        }
        if bytes < MAX_BYTES && self.messages.len() < MAX_MESSAGES {
            // Nothing is left; the last messages may have been evicted.
            self.next.position = self.row.last;
        }
        Ok(())
    }
}

/// Returns whether the file still holds the history of a checkpoint. A message that was evicted says nothing.
fn holds(connection: &Connection, checkpoint: Option<Checkpoint>) -> Result<bool, rusqlite::Error> {
    let Some(checkpoint) = checkpoint else { return Ok(true) };
    let present = Checkpoint::at(connection, checkpoint.offset)?;
    Ok(present.is_none_or(|present| present == checkpoint))
}

/// The topics of which messages after a place are gone, by evictions that are not known yet.
fn losses(connection: &Connection, place: Place) -> Result<Vec<(Topic, u64)>, Trouble> {
    let mut statement = connection
        .prepare_cached("SELECT name, lost_through FROM topics WHERE lost_eviction > ?1 AND lost_through > ?2")?;
    let mut rows = statement.query((place.evictions as i64, place.position as i64))?;
    let mut lost = Vec::new();
    while let Some(row) = rows.next()? {
        lost.push((parse(row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?)?, number(row, 1)?));
    }
    Ok(lost)
}
