//! The beginning of the first read: the oldest message that memory has room for.

use std::collections::HashSet;

use rusqlite::Connection;

use crate::history_row::{HistoryRow, number};
use crate::trouble::Trouble;
use shared::hub::Entry;

/// The memory that a message takes besides its text and event: its entry and its places in the lists.
const FIXED: u64 = (size_of::<Entry>() + 6 * size_of::<usize>()) as u64;

/// The memory that a topic takes.
const TOPIC: u64 = 512;

/// Returns the offset before the oldest message that is to be read, so that what comes after it fits into so many bytes of memory,
/// and the row of the history.
pub(crate) fn begin(connection: &Connection, memory: u64) -> Result<(u64, HistoryRow), Trouble> {
    // The rest is for the encodings.
    let room = memory - memory / 4;
    let transaction = connection.unchecked_transaction()?;
    let row = HistoryRow::read(&transaction)?;
    let mut statement = transaction.prepare(
        "SELECT offset, topic, octet_length(text) + coalesce(octet_length(event), 0) FROM messages ORDER BY offset DESC",
    )?;
    let mut rows = statement.query([])?;
    let mut topics = HashSet::new();
    let (mut used, mut before) = (0, row.last);
    while let Some(message) = rows.next()? {
        used += FIXED + number(message, 2)?;
        if topics.insert(message.get::<_, i64>(1)?) {
            used += TOPIC;
        }
        if used > room {
            return Ok((before, row));
        }
        before = number(message, 0)? - 1;
    }
    // Everything that is held fits. What was before it is gone, of the topics that `Batch` names.
    Ok((0, row))
}
