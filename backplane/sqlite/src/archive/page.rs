//! A page of the file: the messages after a position.

use std::collections::HashMap;
use std::ops::RangeInclusive;
use std::sync::Arc;

use rusqlite::Connection;

use super::interest::{Interest, KnownTopic};
use crate::history_row::{HistoryRow, number};
use crate::spans::{self, SPAN};
use crate::stored_message::{COLUMNS, StoredMessage, TopicNames};
use crate::trouble::Trouble;
use shared::cursor::Epoch;
use shared::hub::{ArchivePosition, Entry, Fetched};
use shared::topic::TopicFilter;

/// The most messages of a page.
const MAX_MESSAGES: usize = 256;

/// The bytes of text from which on a page takes no further message.
const MAX_BYTES: usize = 256 << 10;

/// The most messages that are looked at for a page.
const MAX_SCANNED: u64 = 4096;

/// The most spans that are looked at for a page.
const MAX_SPANS: usize = (MAX_SCANNED / SPAN) as usize;

/// The number of messages that are passed over in the time in which the spans of one topic are searched.
const SCANNED_PER_SEARCH: u64 = 4;

/// Reads what comes after a position, in one transaction.
pub(super) fn read(
    connection: &Connection,
    filters: &[TopicFilter],
    from: ArchivePosition,
) -> Result<Fetched, Trouble> {
    let transaction = connection.unchecked_transaction()?;
    let row = HistoryRow::read(&transaction)?;
    let after = from.after.offset;
    if row.epoch != from.after.epoch || row.last < after {
        return Err(Trouble::OtherHistory);
    }
    let ignored_evictions = from.ignored_evictions.unwrap_or(row.evictions);
    let interest = Interest::find(&transaction, filters)?;
    if let Some(through) = interest.lost_through(&transaction, &row, after, ignored_evictions)? {
        return Ok(Fetched::Lost { through });
    }
    let mut page = Page { epoch: row.epoch, entries: Vec::new(), bytes: 0, through: after };
    match &interest {
        Interest::All => page.scan(&transaction, None, &row)?,
        Interest::Some(topics) if is_rare(topics, &row) => page.search(&transaction, topics, &row)?,
        Interest::Some(topics) => page.scan(&transaction, Some(topics), &row)?,
    }
    Ok(Fetched::Page { entries: page.entries.into(), through: page.through, ignored_evictions })
}

/// Returns whether it is quicker to search for the spans of each topic than to look at all messages.
fn is_rare(topics: &HashMap<i64, KnownTopic>, row: &HistoryRow) -> bool {
    let matching = topics.values().map(|topic| topic.messages).sum::<u64>().max(1);
    let scanned = row.messages.min(MAX_MESSAGES as u64 * row.messages / matching);
    topics.len() as u64 * SCANNED_PER_SEARCH <= scanned || topics.len() == 1
}

struct Page {
    epoch: Epoch,
    entries: Vec<Arc<Entry>>,
    bytes: usize,
    through: u64,
}

impl Page {
    /// Looks at all messages, and takes those of some topics; of all topics, if none are given.
    fn scan(
        &mut self,
        connection: &Connection,
        topics: Option<&HashMap<i64, KnownTopic>>,
        row: &HistoryRow,
    ) -> Result<(), Trouble> {
        if self.look_at(connection, self.through + 1..=row.last, topics)? {
            self.through = row.last;
        }
        Ok(())
    }

    /// Looks at the spans in which the topics have messages.
    fn search(
        &mut self,
        connection: &Connection,
        topics: &HashMap<i64, KnownTopic>,
        row: &HistoryRow,
    ) -> Result<(), Trouble> {
        let mut found = Vec::new();
        for id in topics.keys() {
            found.extend(spans::after(connection, *id, self.through, MAX_SPANS)?);
            if found.len() > 4 * MAX_SPANS {
                shorten(&mut found);
            }
        }
        shorten(&mut found);
        for span in &found {
            let offsets = spans::offsets(*span);
            let first = *offsets.start().max(&(self.through + 1));
            let last = *offsets.end().min(&row.last);
            if !self.look_at(connection, first..=last, Some(topics))? {
                return Ok(());
            }
            self.through = last;
        }
        if found.len() < MAX_SPANS {
            self.through = row.last;
        }
        Ok(())
    }

    /// Takes the messages of some topics, or of all, under a range of offsets. Returns whether it has looked at all of them.
    fn look_at(
        &mut self,
        connection: &Connection,
        offsets: RangeInclusive<u64>,
        topics: Option<&HashMap<i64, KnownTopic>>,
    ) -> Result<bool, Trouble> {
        let mut statement = connection.prepare_cached(&format!(
            "SELECT {COLUMNS} FROM messages WHERE offset BETWEEN ?1 AND ?2 ORDER BY offset LIMIT {MAX_SCANNED}"
        ))?;
        let mut names = TopicNames::new(connection);
        let mut rows = statement.query((*offsets.start() as i64, *offsets.end() as i64))?;
        let mut looked_at = 0;
        while let Some(message) = rows.next()? {
            if self.is_full() {
                return Ok(false);
            }
            looked_at += 1;
            self.through = number(message, 0)?;
            let id = message.get(1)?;
            let name = match topics {
                None => names.find(id)?,
                Some(topics) => match topics.get(&id) {
                    Some(topic) => topic.name(),
                    None => continue,
                },
            };
            self.take(StoredMessage::from_row(message)?, name)?;
        }
        Ok(looked_at < MAX_SCANNED)
    }

    fn is_full(&self) -> bool {
        self.entries.len() >= MAX_MESSAGES || self.bytes >= MAX_BYTES
    }

    fn take(&mut self, stored: StoredMessage, topic: shared::topic::Topic) -> Result<(), Trouble> {
        self.bytes += stored.bytes();
        self.entries.push(Arc::new(Entry::new(stored.into_message(self.epoch, topic)?)));
        Ok(())
    }
}

/// Leaves the first spans, as many as are looked at for a page.
fn shorten(spans: &mut Vec<u64>) {
    spans.sort_unstable();
    spans.dedup();
    spans.truncate(MAX_SPANS);
}
