//! The idempotency keys that the file remembers, with the answers to the publications under them.

use std::time::Duration;

use rusqlite::{Connection, OptionalExtension};

use crate::history_row::{HistoryRow, number};
use shared::backplane::{IDEMPOTENCY_WINDOW, IdempotencyKey, PublicationDigest, PublishError};
use shared::timestamp::Timestamp;

/// The number of keys that are forgotten at once.
const AT_ONCE: i64 = 500;

/// The time for which a key is remembered, in milliseconds of the age clock.
const WINDOW: i64 = IDEMPOTENCY_WINDOW.as_millis() as i64;

/// The keys of the last [`IDEMPOTENCY_WINDOW`], in one transaction.
pub(crate) struct Keys<'a> {
    connection: &'a Connection,
    limit: usize,
    /// The present value of the age clock.
    age: i64,
}

/// The place of the messages of a publication.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Answer {
    pub(crate) first: u64,
    pub(crate) count: usize,
    pub(crate) at: Timestamp,
}

/// The key was used for another publication.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reused;

impl From<Reused> for PublishError {
    fn from(_: Reused) -> Self {
        Self::KeyReused
    }
}

impl<'a> Keys<'a> {
    pub(crate) fn new(connection: &'a Connection, limit: usize, age: i64) -> Self {
        Self { connection, limit, age }
    }

    /// Finds the answer to the publication under a key.
    pub(crate) fn find(
        &self,
        key: &IdempotencyKey,
        digest: &PublicationDigest,
    ) -> Result<Option<Result<Answer, Reused>>, rusqlite::Error> {
        let mut statement =
            self.connection.prepare_cached("SELECT first, count, at, content, used FROM keys WHERE key = ?1")?;
        let found = statement.query_row([key.as_str()], |row| {
            let answer = Answer {
                first: number(row, 0)?,
                count: number(row, 1)? as usize,
                at: Timestamp::from_millis(number(row, 2)?),
            };
            let same = row.get_ref(3)?.as_str()? == digest.as_str();
            Ok((if same { Ok(answer) } else { Err(Reused) }, row.get::<_, i64>(4)?))
        });
        Ok(found.optional()?.filter(|(_, used)| used + WINDOW > self.age).map(|(answer, _)| answer))
    }

    /// Makes room for another key. Returns an error if as many are in use as are remembered.
    pub(crate) fn check_room(&self, row: &mut HistoryRow) -> Result<Result<(), PublishError>, rusqlite::Error> {
        while row.keys as usize >= self.limit {
            if self.forget_expired(row)? == 0 {
                let forgotten = self.oldest()?.map_or(0, |used| used + WINDOW - self.age);
                let wait = Duration::from_millis(u64::try_from(forgotten).unwrap_or_default());
                return Ok(Err(PublishError::TooManyKeys { limit: self.limit, wait }));
            }
        }
        Ok(Ok(()))
    }

    pub(crate) fn remember(
        &self,
        row: &mut HistoryRow,
        key: &IdempotencyKey,
        digest: &PublicationDigest,
        answer: Answer,
    ) -> Result<(), rusqlite::Error> {
        // One that has expired may still be there.
        let mut delete = self.connection.prepare_cached("DELETE FROM keys WHERE key = ?1")?;
        row.keys = row.keys.saturating_sub(delete.execute([key.as_str()])? as u64) + 1;
        let mut insert = self.connection.prepare_cached(
            "INSERT INTO keys (key, content, first, count, at, used) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?;
        let Answer { first, count, at } = answer;
        let (first, count, at) = (first as i64, count as i64, at.as_millis() as i64);
        insert.execute((key.as_str(), digest.as_str(), first, count, at, self.age))?;
        Ok(())
    }

    /// Returns whether some keys have expired.
    pub(crate) fn has_expired(&self) -> Result<bool, rusqlite::Error> {
        Ok(self.oldest()?.is_some_and(|used| used + WINDOW <= self.age))
    }

    /// The age at which the oldest key was used.
    fn oldest(&self) -> Result<Option<i64>, rusqlite::Error> {
        self.connection.prepare_cached("SELECT min(used) FROM keys")?.query_row([], |row| row.get(0))
    }

    /// Forgets some of the keys that have expired, and returns their number.
    pub(crate) fn forget_expired(&self, row: &mut HistoryRow) -> Result<usize, rusqlite::Error> {
        let mut delete = self.connection.prepare_cached(
            "DELETE FROM keys WHERE key IN (SELECT key FROM keys WHERE used <= ?1 ORDER BY used LIMIT ?2)",
        )?;
        let forgotten = delete.execute((self.age - WINDOW, AT_ONCE))?;
        row.keys = row.keys.saturating_sub(forgotten as u64);
        Ok(forgotten)
    }
}
