//! Publications on their way into the file, in one transaction.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use rusqlite::{Connection, OptionalExtension};

use crate::age_clock::BootTime;
use crate::batch::{Batch, Checkpoint, Place};
use crate::history_row::{HistoryRow, number};
use crate::keys::{Answer, Keys};
use crate::spans;
use crate::stored_message;
use shared::backplane::{Offsets, Placement, Publication, PublicationDigest, PublishError, Receipt};
use shared::cursor::Cursor;
use shared::message::Message;
use shared::timestamp::Timestamp;
use shared::topic::Topic;

/// The answer to a publication, once the transaction is committed.
pub(crate) type Answered = Result<Receipt, PublishError>;

/// Publications on their way into the file, in one transaction.
pub(crate) struct Append<'a> {
    connection: &'a Connection,
    row: HistoryRow,
    /// The end of the file before.
    before: Place,
    keys: Keys<'a>,
    /// The present value of the age clock.
    age: i64,
    at: Timestamp,
    topics: HashMap<Topic, NewOfTopic>,
    /// The messages that are added, each with the value of the age clock.
    messages: Vec<(Message, i64)>,
    /// The topic of the last of them, by its id.
    last_topic: i64,
}

/// The outcome of a transaction.
pub(crate) struct Appended {
    /// The end of the file before.
    pub(crate) before: Place,
    /// The messages that were added after it.
    pub(crate) batch: Batch,
    /// The topics that have more than is allowed now.
    pub(crate) over: OverLimit,
}

/// Topics that have more than is allowed, by their ids.
#[derive(Debug, Default)]
pub(crate) struct OverLimit {
    /// More messages than a topic may have.
    pub(crate) messages: Vec<i64>,
    /// More bytes than their share.
    pub(crate) bytes: Vec<i64>,
}

/// The messages of one topic that the transaction adds.
struct NewOfTopic {
    id: i64,
    count: usize,
    bytes: u64,
    /// The last span that is noted.
    span: Option<u64>,
}

impl<'a> Append<'a> {
    /// Begins with the row as it is in the transaction. At most `max_keys` idempotency keys are remembered.
    pub(crate) fn new(
        connection: &'a Connection,
        mut row: HistoryRow,
        max_keys: usize,
        at: Timestamp,
    ) -> Result<Self, rusqlite::Error> {
        let before = Place::at_end(connection, &row)?;
        let now = BootTime::now();
        let age = row.age.age_at(&now);
        row.age.refresh(now);
        let keys = Keys::new(connection, max_keys, age);
        let (topics, messages) = (HashMap::new(), Vec::new());
        Ok(Self { connection, row, before, keys, age, at, topics, messages, last_topic: 0 })
    }

    /// Adds the messages of a publication, unless it is a repeat or is refused.
    pub(crate) fn add(&mut self, publication: Publication) -> Result<Answered, rusqlite::Error> {
        let Publication { topic, drafts, key, traceparent, may_use_new_key, .. } = publication;
        let epoch = self.row.epoch;
        let receipt = |answer: Answer, repeated| {
            let Answer { first, count, at } = answer;
            let offsets = Offsets::Consecutive { first, count, at };
            Receipt { placement: Placement { epoch, topic: topic.clone(), offsets }, repeated }
        };
        let keyed = key.as_ref().map(|key| (key, PublicationDigest::of(&topic, &drafts)));
        if let Some((key, digest)) = &keyed {
            match self.keys.find(key, digest)? {
                Some(Ok(answer)) => return Ok(Ok(receipt(answer, true))),
                Some(Err(reused)) => return Ok(Err(reused.into())),
                None => {}
            }
            if !may_use_new_key {
                return Ok(Err(PublishError::ShareOfKeys));
            }
            if let Err(error) = self.keys.check_room(&mut self.row)? {
                return Ok(Err(error));
            }
        }
        let answer = Answer { first: self.row.last + 1, count: drafts.len(), at: self.at };
        let id = self.topic(&topic, drafts.len())?;
        let traceparent_text = traceparent.map(|traceparent| traceparent.to_string());
        let of_trace = traceparent_text.as_ref().map_or(0, String::len);
        let bytes = drafts.iter().map(|draft| stored_message::cost(draft.bytes() + of_trace)).sum();
        self.note_in_topic(&topic, drafts.len(), bytes)?;
        let mut insert = self.connection.prepare_cached(
            "INSERT INTO messages (offset, topic, at, held_since, event, text, traceparent) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?;
        for draft in drafts {
            self.row.last += 1;
            self.row.messages += 1;
            let offset = self.row.last;
            let event = draft.event.as_ref().map(|event| event.as_str());
            let at = self.at.as_millis() as i64;
            insert.execute((offset as i64, id, at, self.age, event, &*draft.text, &traceparent_text))?;
            let (id, topic) = (Cursor { epoch, offset }, topic.clone());
            let (at, traceparent) = (self.at, traceparent.map(Box::new));
            self.messages
                .push((Message { id, topic, text: draft.text, event: draft.event, at, traceparent }, self.age));
        }
        if answer.count > 0 {
            self.last_topic = id;
        }
        if let Some((key, digest)) = &keyed {
            self.keys.remember(&mut self.row, key, digest, answer)?;
        }
        Ok(Ok(receipt(answer, false)))
    }

    /// Writes what depends on all publications together. A topic may have `most` messages, and `share` is what it may have in bytes
    /// before its messages go first.
    pub(crate) fn finish(self, most: usize, share: u64) -> Result<Appended, rusqlite::Error> {
        let mut over = OverLimit::default();
        let mut add = self.connection.prepare_cached(
            "UPDATE topics SET messages = messages + ?2, bytes = bytes + ?3 WHERE id = ?1 RETURNING messages, bytes",
        )?;
        for NewOfTopic { id, count, bytes, .. } in self.topics.into_values() {
            let added = (id, count as i64, bytes as i64);
            let (messages, bytes) = add.query_row(added, |row| Ok((number(row, 0)?, number(row, 1)?)))?;
            if messages as usize > most {
                over.messages.push(id);
            }
            if bytes > share {
                over.bytes.push(id);
            }
        }
        self.row.write(self.connection)?;
        let next = self.messages.last().map_or(self.before, |(message, held_since)| {
            let Message { id, at, event, text, .. } = message;
            let event = event.as_ref().map(|event| event.as_str());
            let fingerprint = stored_message::fingerprint(self.last_topic, *at, *held_since, event, text);
            self.before.behind(Checkpoint { offset: id.offset, fingerprint })
        });
        let batch = Batch::added(self.row, self.age, self.messages, next);
        Ok(Appended { before: self.before, batch, over })
    }

    /// Notes the bytes and the spans of the next messages, all of one topic.
    fn note_in_topic(&mut self, topic: &Topic, count: usize, bytes: u64) -> Result<(), rusqlite::Error> {
        let Some(new) = self.topics.get_mut(topic) else { return Ok(()) };
        new.bytes += bytes;
        self.row.bytes += bytes;
        let (first, last) = (self.row.last + 1, self.row.last + count as u64);
        for span in spans::of(first)..=spans::of(last) {
            if new.span < Some(span) {
                spans::note(self.connection, new.id, span)?;
                new.span = Some(span);
            }
        }
        Ok(())
    }

    /// The id of a topic, to which messages are added.
    fn topic(&mut self, topic: &Topic, count: usize) -> Result<i64, rusqlite::Error> {
        match self.topics.entry(topic.clone()) {
            Entry::Occupied(mut entry) => {
                entry.get_mut().count += count;
                Ok(entry.get().id)
            }
            Entry::Vacant(entry) => {
                let mut find = self.connection.prepare_cached("SELECT id FROM topics WHERE name = ?1")?;
                let id = match find.query_row([topic.as_str()], |row| row.get(0)).optional()? {
                    Some(id) => id,
                    None => {
                        let mut insert = self.connection.prepare_cached("INSERT INTO topics (name) VALUES (?1)")?;
                        insert.insert([topic.as_str()])?
                    }
                };
                Ok(entry.insert(NewOfTopic { id, count, bytes: 0, span: None }).id)
            }
        }
    }
}
