//! The backplane of many processes on one machine: a SQLite file orders the messages, and every process follows it.
//!
//! A publication is written to the file, and enters the hub in its place among those of other processes, once it is on the disk.
//! The promises of this crate:
//!
//! - A publication that is confirmed is on the disk. One that is repeated under its idempotency key is stored once, and another one
//!   under the same key is refused.
//! - Every process has the messages in the same order. A restart, a killed process or a power cut loses nothing confirmed, and
//!   cursors stay valid. A file that has lost messages all the same, such as an older backup, gets a new epoch.
//! - Messages that memory does not hold are read from the file. What the file does not hold any more is reported as a gap, exactly.
//! - A file that cannot be trusted is refused, with what to do. None is begun where one was, but is gone.
//!
//! In reading order:
//! - [`config`](SqliteConfig): the flags
//! - `directory`, `file_system`, `lock`, `file_identity`: the directory, and who may use it; `wal`: the search for damage; `opening`:
//!   all checks at the start, and [`OpenError`], their outcome
//! - `schema`, `history_row`, `age_clock`, `stored_message`: the content of the file; `database`: the connections to it, and
//!   `trouble`: why they fail
//! - `queue`, `writer`, `append`, `spans`, `keys`, `retention`: from publications to the file
//! - `local_history`: the history in memory, to which the writer adds what it has committed, if nothing is missing before it; `commits`:
//!   the publishers who wait for the follower otherwise
//! - `bells`, `follower`, `batch`, `fill`: from the file to memory
//! - `archive`: pages of messages that memory does not hold
//! - `replica`: what this process has of the history; `figures`: what it counts and measures; `threads`, `stop`: its threads
//! - [`new_epoch()`]: the end of a history whose file was replaced; `sqlite`: the backplane, made of all these

mod age_clock;
mod append;
mod archive;
mod batch;
mod bells;
mod commits;
mod config;
mod database;
mod directory;
mod figures;
mod file_identity;
mod file_system;
mod fill;
mod follower;
mod history_row;
mod keys;
mod local_history;
mod lock;
mod new_epoch;
mod open_error;
mod opening;
mod queue;
mod replica;
mod retention;
mod schema;
mod spans;
mod sqlite;
mod stop;
mod stored_message;
mod threads;
mod trouble;
mod wal;
mod writer;

pub use config::SqliteConfig;
pub use new_epoch::{NewEpochError, new_epoch};
pub use open_error::OpenError;
pub use sqlite::{ConfigError, Sqlite};
pub use wal::Damage;
