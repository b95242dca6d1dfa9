//! A message as the file has it.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use rusqlite::{Connection, OptionalExtension, Row};

use crate::history_row::number;
use crate::trouble::Trouble;
use shared::cursor::{Cursor, Epoch};
use shared::message::{EventName, Message};
use shared::timestamp::Timestamp;
use shared::topic::Topic;

/// The columns that make a message, in the order of [`StoredMessage::from_row`].
pub(crate) const COLUMNS: &str = "offset, topic, at, held_since, event, text, traceparent";

/// The bytes that a message takes in the file besides its texts: its numbers, and its place in an index.
const FIXED_COST: u64 = 48;

/// The bytes of the file that a message with so many bytes of texts counts.
pub(crate) fn cost(bytes: usize) -> u64 {
    FIXED_COST + bytes as u64
}

/// The same in SQL.
pub(crate) const COST: &str =
    "(48 + octet_length(text) + coalesce(octet_length(event), 0) + coalesce(octet_length(traceparent), 0))";

/// A message as the file has it.
#[derive(Debug)]
pub(crate) struct StoredMessage {
    pub(crate) offset: u64,
    /// The id of its topic.
    pub(crate) topic: i64,
    pub(crate) at: Timestamp,
    /// The value of the age clock when it was stored.
    pub(crate) held_since: i64,
    event: Option<String>,
    text: Box<str>,
    traceparent: Option<String>,
}

impl StoredMessage {
    pub(crate) fn from_row(row: &Row<'_>) -> Result<Self, rusqlite::Error> {
        Ok(Self {
            offset: number(row, 0)?,
            topic: row.get(1)?,
            at: Timestamp::from_millis(number(row, 2)?),
            held_since: row.get(3)?,
            event: row.get(4)?,
            text: row.get_ref(5)?.as_str()?.into(),
            traceparent: row.get(6)?,
        })
    }

    /// A number that another message under the same offset does not have.
    pub(crate) fn fingerprint(&self) -> u64 {
        fingerprint(self.topic, self.at, self.held_since, self.event.as_deref(), &self.text)
    }

    /// The bytes of its texts: the message's own, the event and the traceparent.
    pub(crate) fn bytes(&self) -> usize {
        self.text.len() + [&self.event, &self.traceparent].into_iter().flatten().map(String::len).sum::<usize>()
    }

    pub(crate) fn into_message(self, epoch: Epoch, topic: Topic) -> Result<Message, Trouble> {
        let event = self.event.map(EventName::try_from).transpose();
        let event = event.map_err(|_| Trouble::Damaged("an event name is not valid".into()))?;
        let id = Cursor { epoch, offset: self.offset };
        let traceparent = self.traceparent.map(|traceparent| traceparent.parse().map(Box::new)).transpose();
        let traceparent = traceparent.map_err(|_| Trouble::Damaged("a traceparent is not valid".into()))?;
        Ok(Message { id, topic, text: self.text, event, at: self.at, traceparent })
    }
}

/// The fingerprint of a message with these columns.
pub(crate) fn fingerprint(topic: i64, at: Timestamp, held_since: i64, event: Option<&str>, text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    (topic, at.as_millis(), held_since, event, text).hash(&mut hasher);
    hasher.finish()
}

/// The names of topics, looked up once each in one transaction.
pub(crate) struct TopicNames<'a> {
    connection: &'a Connection,
    known: HashMap<i64, Topic>,
}

impl<'a> TopicNames<'a> {
    pub(crate) fn new(connection: &'a Connection) -> Self {
        Self { connection, known: HashMap::new() }
    }

    pub(crate) fn find(&mut self, id: i64) -> Result<Topic, Trouble> {
        if let Some(topic) = self.known.get(&id) {
            return Ok(topic.clone());
        }
        let mut statement = self.connection.prepare_cached("SELECT name FROM topics WHERE id = ?1")?;
        let name: Option<String> = statement.query_row([id], |row| row.get(0)).optional()?;
        let topic = parse(&name.ok_or(Trouble::Damaged("a message is of no topic".into()))?)?;
        self.known.insert(id, topic.clone());
        Ok(topic)
    }
}

/// The topic with a name that the file has.
pub(crate) fn parse(name: &str) -> Result<Topic, Trouble> {
    name.parse().map_err(|_| Trouble::Damaged("a topic is not valid".into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sqlite_counts_the_cost_in_the_same_way() {
        let connection = Connection::open_in_memory().unwrap();
        for (text, event, traceparent) in
            [("", None, None), ("Täxt", Some("neu: schön"), Some("00-01")), ("x", Some("e"), None)]
        {
            let select = format!("SELECT {COST} FROM (SELECT ?1 AS text, ?2 AS event, ?3 AS traceparent)");
            let counted: i64 = connection.query_row(&select, (text, event, traceparent), |row| row.get(0)).unwrap();
            assert_eq!(
                counted as u64,
                cost(text.len() + [event, traceparent].into_iter().flatten().map(str::len).sum::<usize>())
            );
        }
    }
}
