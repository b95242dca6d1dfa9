//! The spans of offsets in which each topic has messages: how the messages of one topic are found among all.
//!
//! An index of the messages by topic would have one entry for each message. `spans` has one for each [`SPAN`] offsets in which a
//! topic has any, so that a transaction seldom writes a page of it. The messages of a span are looked at one by one.

use std::ops::RangeInclusive;

use rusqlite::Connection;

/// The offsets of a span. A span has a number: its first offset divided by this.
pub(crate) const SPAN: u64 = 64;

/// The span of an offset.
pub(crate) fn of(offset: u64) -> u64 {
    offset / SPAN
}

/// The offsets of a span.
pub(crate) fn offsets(span: u64) -> RangeInclusive<u64> {
    span * SPAN..=span * SPAN + (SPAN - 1)
}

/// Notes that a topic has messages in a span.
pub(crate) fn note(connection: &Connection, topic: i64, span: u64) -> Result<(), rusqlite::Error> {
    let mut statement = connection.prepare_cached("INSERT OR IGNORE INTO spans (topic, span) VALUES (?1, ?2)")?;
    statement.execute((topic, span as i64))?;
    Ok(())
}

/// Forgets the spans of a topic that has lost all messages up to an offset, and has some left or none. One that ends behind the
/// offset may stay for as long as the topic has messages, though it has none of them.
pub(crate) fn forget(connection: &Connection, topic: i64, through: u64, left: bool) -> Result<(), rusqlite::Error> {
    let kept = if left { of(through) } else { of(through) + 1 };
    let mut statement = connection.prepare_cached("DELETE FROM spans WHERE topic = ?1 AND span < ?2")?;
    statement.execute((topic, kept as i64))?;
    Ok(())
}

/// The first spans in which a topic may have messages after an offset, `most` at most.
pub(crate) fn after(
    connection: &Connection,
    topic: i64,
    offset: u64,
    most: usize,
) -> Result<Vec<u64>, rusqlite::Error> {
    let mut statement =
        connection.prepare_cached("SELECT span FROM spans WHERE topic = ?1 AND span >= ?2 ORDER BY span LIMIT ?3")?;
    let spans = statement.query_map((topic, of(offset + 1) as i64, most as i64), |row| row.get::<_, i64>(0))?;
    spans.map(|span| span.map(|span| span as u64)).collect()
}

/// A query for columns of the messages of one topic, `?1`, in their order.
pub(crate) fn messages_of_topic(columns: &str) -> String {
    format!(
        "SELECT {columns} FROM spans CROSS JOIN messages
         ON messages.offset BETWEEN spans.span * {SPAN} AND spans.span * {SPAN} + {SPAN} - 1 AND messages.topic = spans.topic
         WHERE spans.topic = ?1 ORDER BY spans.span, messages.offset"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::tables_in_memory;

    #[test]
    fn the_messages_of_a_topic_are_read_in_order_without_sorting() {
        let connection = tables_in_memory();
        let explained = format!("EXPLAIN QUERY PLAN {} LIMIT 1", messages_of_topic("offset"));
        let mut statement = connection.prepare(&explained).unwrap();
        let steps = statement.query_map([1], |row| row.get::<_, String>(3)).unwrap();
        let steps: Vec<_> = steps.map(Result::unwrap).collect();
        assert_eq!(
            steps,
            [
                "SEARCH spans USING PRIMARY KEY (topic=?)",
                "SEARCH messages USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)"
            ]
        );
    }

    #[test]
    fn spans_are_found_until_they_are_forgotten() {
        let connection = tables_in_memory();
        for (topic, offset) in [(1, 1), (1, 63), (1, 64), (2, 64), (1, 1000), (2, 5000)] {
            note(&connection, topic, of(offset)).unwrap();
        }
        let spans = |topic, offset| after(&connection, topic, offset, 2).unwrap();
        assert_eq!((spans(1, 0), spans(1, 62), spans(1, 63)), (vec![0, 1], vec![0, 1], vec![1, 15]));
        assert_eq!((spans(2, 0), spans(2, *offsets(1).end())), (vec![1, 78], vec![78]));
        forget(&connection, 1, 64, true).unwrap();
        assert_eq!(spans(1, 0), [1, 15], "there may be more in the span of 64");
        forget(&connection, 1, 1000, false).unwrap();
        assert_eq!((spans(1, 0), spans(2, 0)), (vec![], vec![1, 78]));
    }
}
