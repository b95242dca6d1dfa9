//! The tables of the file, and their version.

use std::path::Path;

use rusqlite::{Connection, Transaction, TransactionBehavior};

use crate::age_clock::AgeReference;
use crate::open_error::OpenError;
use shared::cursor::Epoch;

/// The version of the tables, in `user_version`. A change that an older version cannot read or write has a new one.
const VERSION: i64 = 3;

/// The number by which the file is recognised as a history, in `application_id`: "Push".
const APPLICATION: i64 = 0x5075_7368;

/// `history` has one row: the epoch, the highest offset that was ever given, the number of the last eviction, the sums over
/// `messages` and `keys`, the losses of topics that are no longer in `topics`, the farthest loss of any topic, and the age
/// clock (see `age_clock`).
///
/// `messages` are ordered by their offset, which the history gives once and never again. `topics` counts the messages of each topic and their bytes,
/// and has its last loss: everything up to an offset, by the eviction with a number. The oldest message of a topic is always
/// evicted first, so this covers all losses before. Identifiers of topics are not used again. `spans` has the spans of offsets in
/// which a topic has messages (see `spans`).
///
/// `keys` has the answers to publications under an idempotency key, and `used` by the age clock.
const TABLES: &str = "
CREATE TABLE history (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    epoch INTEGER NOT NULL,
    last INTEGER NOT NULL DEFAULT 0,
    evictions INTEGER NOT NULL DEFAULT 0,
    messages INTEGER NOT NULL DEFAULT 0,
    bytes INTEGER NOT NULL DEFAULT 0,
    keys INTEGER NOT NULL DEFAULT 0,
    lost_through INTEGER NOT NULL DEFAULT 0,
    lost_eviction INTEGER NOT NULL DEFAULT 0,
    farthest_loss INTEGER NOT NULL DEFAULT 0,
    boot TEXT NOT NULL,
    boot_millis INTEGER NOT NULL,
    age_millis INTEGER NOT NULL
) STRICT;
CREATE TABLE messages (
    offset INTEGER PRIMARY KEY,
    topic INTEGER NOT NULL,
    at INTEGER NOT NULL,
    held_since INTEGER NOT NULL,
    event TEXT,
    text TEXT NOT NULL,
    traceparent TEXT
) STRICT;
CREATE TABLE spans (
    topic INTEGER NOT NULL,
    span INTEGER NOT NULL,
    PRIMARY KEY (topic, span)
) STRICT, WITHOUT ROWID;
CREATE TABLE topics (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE,
    messages INTEGER NOT NULL DEFAULT 0,
    bytes INTEGER NOT NULL DEFAULT 0,
    lost_through INTEGER NOT NULL DEFAULT 0,
    lost_eviction INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX topics_by_loss ON topics (lost_eviction) WHERE lost_eviction > 0;
CREATE INDEX topics_without_messages ON topics (lost_eviction) WHERE messages = 0;
CREATE TABLE keys (
    key TEXT PRIMARY KEY,
    content TEXT NOT NULL,
    first INTEGER NOT NULL,
    count INTEGER NOT NULL,
    at INTEGER NOT NULL,
    used INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX keys_by_use ON keys (used);
";

/// The content of a file, as far as its head says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Content {
    /// Nothing yet.
    Empty,
    /// A history that this version can use.
    History,
}

/// Inspects the content of a file.
pub(crate) fn inspect(connection: &Connection, path: &Path) -> Result<Content, OpenError> {
    let head = || {
        Ok((
            connection.pragma_query_value(None, "application_id", |row| row.get(0))?,
            connection.pragma_query_value(None, "user_version", |row| row.get(0))?,
            connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?,
        ))
    };
    let (application, version, tables): (i64, i64, i64) = head().map_err(|error| unreadable(path, error))?;
    match (application, version) {
        (APPLICATION, VERSION) => Ok(Content::History),
        (APPLICATION, version) => Err(OpenError::OtherVersion { path: path.to_owned(), version, known: VERSION }),
        (0, 0) if tables == 0 => Ok(Content::Empty),
        _ => Err(OpenError::Foreign(path.to_owned())),
    }
}

/// Makes the tables in an empty file.
pub(crate) fn create(connection: &mut Connection, epoch: Epoch, age: &AgeReference) -> Result<(), rusqlite::Error> {
    let transaction = Transaction::new(connection, TransactionBehavior::Immediate)?;
    transaction.execute_batch(TABLES)?;
    transaction.execute(
        "INSERT INTO history (id, epoch, boot, boot_millis, age_millis) VALUES (1, ?1, ?2, ?3, ?4)",
        (epoch.number() as i64, &age.boot, age.boot_millis, age.age_millis),
    )?;
    transaction.pragma_update(None, "application_id", APPLICATION)?;
    transaction.pragma_update(None, "user_version", VERSION)?;
    transaction.commit()
}

/// A database with the tables, for tests of their statements.
#[cfg(test)]
pub(crate) fn tables_in_memory() -> Connection {
    let connection = Connection::open_in_memory().unwrap();
    connection.execute_batch(TABLES).unwrap();
    connection
}

/// The error of a file that cannot be read.
pub(crate) fn unreadable(path: &Path, error: rusqlite::Error) -> OpenError {
    use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase};
    let path = path.to_owned();
    match error.sqlite_error_code() {
        Some(NotADatabase) => OpenError::Foreign(path),
        Some(DatabaseCorrupt) => OpenError::Damaged { path, reason: error.to_string() },
        _ => OpenError::Sqlite { path, reason: error },
    }
}
