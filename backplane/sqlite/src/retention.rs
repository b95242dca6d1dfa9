//! Evicting what the limits no longer allow, a few messages at a time.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use rusqlite::{Connection, OptionalExtension};

use crate::age_clock::BootTime;
use crate::append::OverLimit;
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

/// A topic with more than this part of the bytes that are allowed loses messages before others do.
const SHARES: u64 = 16;

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
    /// Topics that may have more bytes than their share.
    large: BTreeSet<i64>,
    /// The number of topics without messages may exceed the limit.
    crowded: bool,
}

impl Retention {
    pub(crate) fn new(limits: HistoryLimits, max_keys: usize) -> Self {
        Self { limits, max_keys, over: BTreeSet::new(), large: BTreeSet::new(), crowded: true }
    }

    /// Notes topics that have more than is allowed.
    pub(crate) fn note(&mut self, over: OverLimit) {
        self.over.extend(over.messages);
        self.large.extend(over.bytes);
    }

    /// Looks for topics that have more than is allowed, which other processes may have left so.
    pub(crate) fn look(&mut self, connection: &Connection) -> Result<(), rusqlite::Error> {
        let mut statement = connection
            .prepare_cached("SELECT id, messages > ?1, bytes > ?2 FROM topics WHERE messages > ?1 OR bytes > ?2")?;
        let most = i64::try_from(self.limits.messages).unwrap_or(i64::MAX);
        let mut rows = statement.query((most, share(&self.limits) as i64))?;
        while let Some(row) = rows.next()? {
            if row.get(1)? {
                self.over.insert(row.get(0)?);
            }
            if row.get(2)? {
                self.large.insert(row.get(0)?);
            }
        }
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
        let limit = self.limits.bytes as u64;
        let exceeds = |row: &HistoryRow| row.messages > 1 && row.bytes > limit;
        let of_large = step.evict_from_large(&mut self.large, share(&self.limits), exceeds)?;
        more |= match of_large {
            Excess::None => step.evict_oldest(|row, since| exceeds(row) && since <= age - FRESH)?,
            Excess::Fresh => false,
            Excess::More => true,
        };
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

/// The bytes that a topic may have before its messages go first, before those of others.
pub(crate) fn share(limits: &HistoryLimits) -> u64 {
    limits.bytes as u64 / SHARES
}

/// The rest of the messages that exceed a limit, of a topic or of large ones.
enum Excess {
    None,
    /// They are so new that another process may not have read them.
    Fresh,
    More,
}

/// A topic with more than its share.
#[derive(Debug, Clone, Copy)]
struct Large {
    topic: i64,
    /// The offset of its oldest message.
    oldest: u64,
    messages: u64,
    bytes: u64,
}

/// Messages of one topic that are evicted.
#[derive(Debug, Clone, Copy, Default)]
struct Evicted {
    count: u64,
    bytes: u64,
    /// The offset of the last of them.
    through: u64,
}

impl Evicted {
    fn add(&mut self, offset: u64, bytes: u64) {
        *self = Self { count: self.count + 1, bytes: self.bytes + bytes, through: offset };
    }
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
            let mut of_topics: BTreeMap<i64, Evicted> = BTreeMap::new();
            let mut all = true;
            while let Some(message) = rows.next()? {
                if !exceeds(&self.row, message.get(2)?) {
                    all = false;
                    break;
                }
                let (offset, bytes) = (number(message, 0)?, number(message, 3)?);
                of_topics.entry(message.get(1)?).or_default().add(offset, bytes);
                self.forget(bytes);
                through = Some(offset);
            }
            drop(rows);
            let Some(through) = through else { return Ok(false) };
            self.connection.prepare_cached("DELETE FROM messages WHERE offset <= ?1")?.execute([through as i64])?;
            for (topic, evicted) in of_topics {
                self.lose(topic, evicted)?;
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
            match self.evict_chunk(topic, excess, |_, _, _| true)? {
                (_, true) => return Ok(Excess::Fresh),
                (0, false) => return Ok(Excess::None),
                (_, false) => {}
            }
        }
    }

    /// Evicts the oldest messages of the topics that have more than their share, for as long as `exceeds` says so of the row.
    /// Forgets those of `large` that have no more than that. The only message of a topic stays.
    fn evict_from_large(
        &mut self,
        large: &mut BTreeSet<i64>,
        share: u64,
        exceeds: impl Fn(&HistoryRow) -> bool,
    ) -> Result<Excess, rusqlite::Error> {
        while exceeds(&self.row) {
            let Some((first, next)) = self.first_of(large, share)? else { return Ok(Excess::None) };
            if self.began.elapsed() >= AT_MOST {
                return Ok(Excess::More);
            }
            let still = |row: &HistoryRow, evicted: u64, offset: u64| {
                exceeds(row) && first.bytes - evicted > share && offset < next
            };
            if let (0, _) = self.evict_chunk(first.topic, first.messages as usize - 1, still)? {
                return Ok(Excess::Fresh);
            }
        }
        Ok(Excess::None)
    }

    /// The topic with the oldest message of those that have more than their share, and the offset from which on another one of them
    /// has the oldest.
    fn first_of(&self, large: &mut BTreeSet<i64>, share: u64) -> Result<Option<(Large, u64)>, rusqlite::Error> {
        let mut find = self.connection.prepare_cached("SELECT messages, bytes FROM topics WHERE id = ?1")?;
        let oldest = spans::messages_of_topic("messages.offset");
        let mut oldest = self.connection.prepare_cached(&format!("{oldest} LIMIT 1"))?;
        let mut found = Vec::new();
        for topic in large.clone() {
            let counted = find.query_row([topic], |row| Ok((number(row, 0)?, number(row, 1)?))).optional()?;
            let (messages, bytes) = counted.unwrap_or_default();
            if messages <= 1 || bytes <= share {
                large.remove(&topic);
                continue;
            }
            if let Some(oldest) = oldest.query_row([topic], |row| number(row, 0)).optional()? {
                found.push(Large { oldest, topic, messages, bytes });
            }
        }
        found.sort_unstable_by_key(|large| large.oldest);
        let next = found.get(1).map_or(u64::MAX, |large| large.oldest);
        Ok(found.first().map(|first| (*first, next)))
    }

    /// Evicts some of the oldest messages of a topic, `most` at most, for as long as `still` says so, which is given the row, the bytes
    /// that are evicted so far, and the offset of the next one. Returns their number, and whether the next one is fresh.
    fn evict_chunk(
        &mut self,
        topic: i64,
        most: usize,
        still: impl Fn(&HistoryRow, u64, u64) -> bool,
    ) -> Result<(u64, bool), rusqlite::Error> {
        let oldest = spans::messages_of_topic(&format!("offset, held_since, {COST}"));
        let mut statement = self.connection.prepare_cached(&format!("{oldest} LIMIT ?2"))?;
        let mut delete = self.connection.prepare_cached("DELETE FROM messages WHERE offset = ?1")?;
        let mut rows = statement.query((topic, most.min(CHUNK) as i64))?;
        let mut offsets = Vec::new();
        let mut evicted = Evicted::default();
        let mut fresh = false;
        while let Some(message) = rows.next()? {
            fresh = message.get::<_, i64>(1)? > self.age - FRESH;
            let (offset, bytes) = (number(message, 0)?, number(message, 2)?);
            if fresh || !still(&self.row, evicted.bytes, offset) {
                break;
            }
            evicted.add(offset, bytes);
            self.forget(bytes);
            offsets.push(offset);
        }
        drop(rows);
        for offset in offsets {
            delete.execute([offset as i64])?;
        }
        let count = evicted.count;
        if count > 0 {
            self.lose(topic, evicted)?;
        }
        Ok((count, fresh))
    }

    fn forget(&mut self, bytes: u64) {
        self.row.messages = self.row.messages.saturating_sub(1);
        self.row.bytes = self.row.bytes.saturating_sub(bytes);
    }

    /// Notes that a topic has lost some messages.
    fn lose(&mut self, topic: i64, evicted: Evicted) -> Result<(), rusqlite::Error> {
        let Evicted { count, bytes, through } = evicted;
        let mut statement = self.connection.prepare_cached(
            "UPDATE topics SET messages = messages - ?2, bytes = bytes - ?3, lost_through = max(lost_through, ?4),
                               lost_eviction = ?5
             WHERE id = ?1 RETURNING messages",
        )?;
        let lost = (topic, count as i64, bytes as i64, through as i64, self.eviction as i64);
        let left: i64 = statement.query_row(lost, |row| row.get(0))?;
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
