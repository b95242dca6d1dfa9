//! Evicting what the limits no longer allow, a few messages at a time.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use rusqlite::{Connection, OptionalExtension};

use crate::age_clock::BootTime;
use crate::history_row::{FileLoss, HistoryRow, number};
use crate::keys::Keys;
use crate::spans;
use crate::stored_message::COST;
use shared::hub::HistoryLimits;

/// The time that a transaction evicts for, so that publications need not wait for longer.
const AT_MOST: Duration = Duration::from_millis(10);

/// The number of messages that are evicted before the time is looked at.
const CHUNK: usize = 100;

/// The age in milliseconds up to which a message stays, whatever the limits of messages and bytes say: every process has read it
/// by then.
const FRESH: i64 = 250;

/// The number of topics without messages of which the loss is kept.
const MAX_EMPTY_TOPICS: usize = 10_000;

/// The number of those topics that are dropped at once.
const EMPTY_AT_ONCE: usize = 500;

/// The limits of the file, and what is known to exceed them.
pub(crate) struct Retention {
    limits: HistoryLimits,
    max_keys: usize,
    /// Topics that may have more messages than the limit, by their ids.
    over: BTreeSet<i64>,
    /// The number of topics without messages may exceed the limit.
    crowded: bool,
}

impl Retention {
    pub(crate) fn new(limits: HistoryLimits, max_keys: usize) -> Self {
        Self { limits, max_keys, over: BTreeSet::new(), crowded: true }
    }

    /// Notes topics with more messages than the limit.
    pub(crate) fn note(&mut self, over: Vec<i64>) {
        self.over.extend(over);
    }

    /// Looks for topics with more messages than the limit, which other processes may have left so.
    pub(crate) fn look(&mut self, connection: &Connection) -> Result<(), rusqlite::Error> {
        let mut statement = connection.prepare_cached("SELECT id FROM topics WHERE messages > ?1")?;
        let most = i64::try_from(self.limits.messages).unwrap_or(i64::MAX);
        self.over.extend(statement.query_map([most], |row| row.get(0))?.collect::<Result<Vec<i64>, _>>()?);
        self.crowded = true;
        Ok(())
    }

    /// Returns whether there is something to evict now.
    pub(crate) fn is_due(&self, connection: &Connection) -> Result<bool, rusqlite::Error> {
        let row = HistoryRow::read(connection)?;
        let age = row.age.age_at(&BootTime::now());
        let oldest = oldest(connection)?;
        let by_age = oldest.is_some_and(|since| since < self.aged_before(age));
        let by_bytes = row.messages > 1 && self.exceeds_bytes(&row) && oldest.is_some_and(|since| since <= age - FRESH);
        Ok(by_age
            || by_bytes
            || !self.over.is_empty()
            || self.crowded
            || Keys::new(connection, self.max_keys, age).has_expired()?)
    }

    /// Evicts for as long as a transaction may take. Returns whether there is more to evict at once.
    pub(crate) fn step(&mut self, connection: &Connection) -> Result<bool, rusqlite::Error> {
        let now = BootTime::now();
        let mut row = HistoryRow::read(connection)?;
        let age = row.age.age_at(&now);
        row.age.refresh(now);
        let mut step =
            Step { connection, eviction: row.evictions + 1, row, age, began: Instant::now(), emptied: false };

        let keys = Keys::new(connection, self.max_keys, age);
        let mut more = keys.forget_expired(&mut step.row)? > 0 && keys.has_expired()?;
        more |= step.evict_oldest(|_, since| since < self.aged_before(age))?;
        more |= step.evict_oldest(|row, since| row.messages > 1 && self.exceeds_bytes(row) && since <= age - FRESH)?;
        let mut fresh = BTreeSet::new();
        while let Some(topic) = self.over.pop_first() {
            match step.evict_from(topic, self.limits.messages)? {
                Excess::None => {}
                Excess::Fresh => {
                    fresh.insert(topic);
                }
                Excess::More => {
                    more = true;
                    self.over.insert(topic);
                    break;
                }
            }
        }
        self.over.append(&mut fresh);
        if self.crowded || step.emptied {
            self.crowded = step.drop_empty_topics()?;
            more |= self.crowded;
        }
        step.row.write(connection)?;
        Ok(more)
    }

    fn exceeds_bytes(&self, row: &HistoryRow) -> bool {
        row.bytes > self.limits.bytes as u64
    }

    /// The value of the age clock before which a message must have been stored to be too old.
    fn aged_before(&self, age: i64) -> i64 {
        age.saturating_sub(i64::try_from(self.limits.age.as_millis()).unwrap_or(i64::MAX))
    }
}

/// The rest of a topic's messages that exceed the limit.
enum Excess {
    None,
    /// They are so new that another process may not have read them.
    Fresh,
    More,
}

/// One transaction that evicts.
struct Step<'a> {
    connection: &'a Connection,
    row: HistoryRow,
    /// The number that the evictions of this transaction have.
    eviction: u64,
    age: i64,
    began: Instant,
    /// A topic has lost its last message.
    emptied: bool,
}

impl Step<'_> {
    /// Evicts the oldest messages of all for as long as `exceeds` says so, which is given the row and the time since when the
    /// message is held. Returns whether there are more.
    fn evict_oldest(&mut self, exceeds: impl Fn(&HistoryRow, i64) -> bool) -> Result<bool, rusqlite::Error> {
        loop {
            let mut statement = self.connection.prepare_cached(&format!(
                "SELECT offset, topic, held_since, {COST} FROM messages ORDER BY offset LIMIT {CHUNK}"
            ))?;
            let mut rows = statement.query([])?;
            let mut through = None;
            let mut of_topics: BTreeMap<i64, (u64, u64)> = BTreeMap::new();
            let mut all = true;
            while let Some(message) = rows.next()? {
                if !exceeds(&self.row, message.get(2)?) {
                    all = false;
                    break;
                }
                let offset = number(message, 0)?;
                let (count, last) = of_topics.entry(message.get(1)?).or_default();
                (*count, *last) = (*count + 1, offset);
                self.forget(number(message, 3)?);
                through = Some(offset);
            }
            drop(rows);
            let Some(through) = through else { return Ok(false) };
            self.connection.prepare_cached("DELETE FROM messages WHERE offset <= ?1")?.execute([through as i64])?;
            for (topic, (count, last)) in of_topics {
                self.lose(topic, count, last)?;
            }
            if !all {
                return Ok(false);
            }
            if self.began.elapsed() >= AT_MOST {
                return Ok(true);
            }
        }
    }

    /// Evicts the oldest messages of a topic beyond a number.
    fn evict_from(&mut self, topic: i64, most: usize) -> Result<Excess, rusqlite::Error> {
        loop {
            let mut count = self.connection.prepare_cached("SELECT messages FROM topics WHERE id = ?1")?;
            let messages = count.query_row([topic], |row| number(row, 0)).optional()?.unwrap_or_default() as usize;
            let excess = messages.saturating_sub(most);
            if excess == 0 {
                return Ok(Excess::None);
            }
            if self.began.elapsed() >= AT_MOST {
                return Ok(Excess::More);
            }
            let oldest = spans::messages_of_topic(&format!("offset, held_since, {COST}"));
            let mut statement = self.connection.prepare_cached(&format!("{oldest} LIMIT ?2"))?;
            let mut rows = statement.query((topic, excess.min(CHUNK) as i64))?;
            let mut evicted = Vec::new();
            let mut fresh = false;
            while let Some(message) = rows.next()? {
                fresh = message.get::<_, i64>(1)? > self.age - FRESH;
                if fresh {
                    break;
                }
                self.forget(number(message, 2)?);
                evicted.push(number(message, 0)?);
            }
            drop(rows);
            let mut delete = self.connection.prepare_cached("DELETE FROM messages WHERE offset = ?1")?;
            for offset in &evicted {
                delete.execute([*offset as i64])?;
            }
            let last = evicted.last();
            if let Some(last) = last {
                self.lose(topic, evicted.len() as u64, *last)?;
            }
            match (fresh, last) {
                (true, _) => return Ok(Excess::Fresh),
                (false, None) => return Ok(Excess::None),
                (false, Some(_)) => {}
            }
        }
    }

    fn forget(&mut self, bytes: u64) {
        self.row.messages = self.row.messages.saturating_sub(1);
        self.row.bytes = self.row.bytes.saturating_sub(bytes);
    }

    /// Notes that a topic has lost some messages, the last of them under an offset.
    fn lose(&mut self, topic: i64, count: u64, through: u64) -> Result<(), rusqlite::Error> {
        let mut statement = self.connection.prepare_cached(
            "UPDATE topics SET messages = messages - ?2, lost_through = max(lost_through, ?3), lost_eviction = ?4
             WHERE id = ?1 RETURNING messages",
        )?;
        let left: i64 =
            statement.query_row((topic, count as i64, through as i64, self.eviction as i64), |row| row.get(0))?;
        spans::forget(self.connection, topic, through, left > 0)?;
        self.emptied |= left == 0;
        self.row.evictions = self.eviction;
        self.row.farthest_loss = self.row.farthest_loss.max(through);
        Ok(())
    }

    /// Drops the topics without messages whose loss is the oldest, beyond the number that is kept. Their losses become one of every
    /// topic. Returns whether there are more.
    fn drop_empty_topics(&mut self) -> Result<bool, rusqlite::Error> {
        let mut count = self.connection.prepare_cached("SELECT count(*) FROM topics WHERE messages = 0")?;
        let excess = (count.query_row([], |row| number(row, 0))? as usize).saturating_sub(MAX_EMPTY_TOPICS);
        if excess == 0 {
            return Ok(false);
        }
        let mut oldest = self.connection.prepare_cached(
            "SELECT id, lost_through, lost_eviction FROM topics WHERE messages = 0 ORDER BY lost_eviction LIMIT ?1",
        )?;
        let dropped = oldest.query_map([excess.min(EMPTY_AT_ONCE) as i64], |row| {
            Ok((row.get::<_, i64>(0)?, FileLoss { through: number(row, 1)?, eviction: number(row, 2)? }))
        })?;
        let dropped: Vec<(i64, FileLoss)> = dropped.collect::<Result<_, _>>()?;
        let mut delete = self.connection.prepare_cached("DELETE FROM topics WHERE id = ?1")?;
        for (id, loss) in dropped {
            delete.execute([id])?;
            self.row.lost = self.row.lost.or(loss);
        }
        Ok(excess > EMPTY_AT_ONCE)
    }
}

/// The value of the age clock when the oldest message was stored.
fn oldest(connection: &Connection) -> Result<Option<i64>, rusqlite::Error> {
    let mut statement = connection.prepare_cached("SELECT held_since FROM messages ORDER BY offset LIMIT 1")?;
    statement.query_row([], |row| row.get(0)).optional()
}
