//! The topics of the file that filters name.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension, Row};

use crate::history_row::{FileLoss, HistoryRow, number};
use crate::stored_message::parse;
use crate::trouble::Trouble;
use shared::topic::{Pattern, Topic, TopicFilter};

/// The topics of the file that filters name.
pub(super) enum Interest {
    All,
    Some(HashMap<i64, KnownTopic>),
}

/// A topic, as the file knows it.
pub(super) struct KnownTopic {
    name: Topic,
    pub(super) messages: u64,
    loss: FileLoss,
}

impl Interest {
    pub(super) fn find(connection: &Connection, filters: &[TopicFilter]) -> Result<Self, Trouble> {
        let mut topics = HashMap::new();
        for filter in filters {
            match filter {
                TopicFilter::Exact(topic) => {
                    let mut statement =
                        connection.prepare_cached(&format!("SELECT {COLUMNS} FROM topics WHERE name = ?1"))?;
                    topics.extend(statement.query_row([topic.as_str()], |row| Ok(known(row))).optional()?.transpose()?);
                }
                TopicFilter::Pattern(pattern) if pattern.matches_everything() => return Ok(Self::All),
                TopicFilter::Pattern(pattern) => find_matching(connection, pattern, &mut topics)?,
            }
        }
        Ok(Self::Some(topics))
    }

    /// The offset through which messages are gone that concern a reader after an offset which ignores evictions up to a number.
    pub(super) fn lost_through(
        &self,
        connection: &Connection,
        row: &HistoryRow,
        after: u64,
        ignored_evictions: u64,
    ) -> Result<Option<u64>, rusqlite::Error> {
        let concerning = |loss: &FileLoss| loss.concerns(after, ignored_evictions);
        let of_all = Some(row.lost).filter(concerning);
        match self {
            Self::Some(topics) => {
                let lost = topics.values().map(|topic| topic.loss).filter(concerning).chain(of_all);
                Ok(lost.map(|loss| loss.through).max())
            }
            Self::All if row.farthest_loss <= after => Ok(None),
            Self::All if ignored_evictions == 0 => Ok(Some(row.farthest_loss)),
            Self::All => {
                let mut statement =
                    connection.prepare_cached("SELECT max(lost_through) FROM topics WHERE lost_eviction > ?1")?;
                let lost: Option<i64> = statement.query_row([ignored_evictions as i64], |row| row.get(0))?;
                let lost = lost.map(|through| through as u64).filter(|through| *through > after);
                Ok(lost.max(of_all.map(|loss| loss.through)))
            }
        }
    }
}

impl KnownTopic {
    pub(super) fn name(&self) -> Topic {
        self.name.clone()
    }
}

const COLUMNS: &str = "id, name, messages, lost_through, lost_eviction";

fn known(row: &Row<'_>) -> Result<(i64, KnownTopic), Trouble> {
    let name = parse(row.get_ref(1)?.as_str().map_err(rusqlite::Error::from)?)?;
    let loss = FileLoss { through: number(row, 3)?, eviction: number(row, 4)? };
    Ok((row.get(0)?, KnownTopic { name, messages: number(row, 2)?, loss }))
}

/// Finds the topics that match a pattern, among those that begin as it does.
fn find_matching(
    connection: &Connection,
    pattern: &Pattern,
    topics: &mut HashMap<i64, KnownTopic>,
) -> Result<(), Trouble> {
    let (begin, end) = range(pattern);
    let mut statement =
        connection.prepare_cached(&format!("SELECT {COLUMNS} FROM topics WHERE name >= ?1 AND name < ?2"))?;
    let mut rows = statement.query((begin, end))?;
    while let Some(row) = rows.next()? {
        let (id, topic) = known(row)?;
        if pattern.matches(&topic.name) {
            topics.insert(id, topic);
        }
    }
    Ok(())
}

/// The names that begin with the tokens before the first wildcard: from one text up to another.
fn range(pattern: &Pattern) -> (String, String) {
    let literal: Vec<&str> = pattern.as_str().split('.').take_while(|token| !matches!(*token, "*" | ">")).collect();
    match literal.is_empty() {
        // Behind every character that a topic may have.
        true => (String::new(), "~".to_owned()),
        // The slash follows the dot.
        false => (format!("{}.", literal.join(".")), format!("{}/", literal.join("."))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_topic_that_matches_is_in_the_range() {
        let topics = ["a", "a.b", "a.b.c", "a-b", "a-b.c", "a_b.c", "ab", "A", "z", "0", "_", "-", "a.z.c", "a0.b"];
        for text in ["*", ">", "a.*", "a.>", "*.b", "a.*.c", "a.b.*", "a-b.>"] {
            let TopicFilter::Pattern(pattern) = text.parse().unwrap() else { panic!("{text} is a pattern") };
            let (begin, end) = range(&pattern);
            for topic in topics {
                let inside = *topic >= *begin && *topic < *end;
                assert!(inside || !pattern.matches(&topic.parse().unwrap()), "{topic} for {text}");
            }
        }
    }
}
