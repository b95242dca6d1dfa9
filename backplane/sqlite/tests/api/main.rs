//! The backplane at its boundary: real files, several instances in one process, and several processes.

#![allow(clippy::unwrap_used)]

mod archive;
mod figures;
mod instance;
mod keys;
mod opening;
mod processes;
mod publishing;
mod replaced;
mod retention;
mod sharing;
mod trouble;

use std::path::Path;
use std::time::Duration;

use rusqlite::Connection;
use shared::hub::{Batch, BatchLimit, Format, HistoryLimits, Subscriber};
use shared::topic::TopicFilter;
use testkit::soon;
use tokio::time::sleep;

const ROOMY: HistoryLimits = HistoryLimits { messages: 100_000, age: Duration::from_secs(3600), bytes: 1 << 30 };
const ALL: BatchLimit = BatchLimit { messages: usize::MAX, bytes: usize::MAX };

static JSON: Format = Format::new(|message| message.to_json().into());

fn filters(filters: &[&str]) -> Vec<TopicFilter> {
    filters.iter().map(|filter| filter.parse().unwrap()).collect()
}

fn texts(batch: &Batch) -> Vec<String> {
    batch.entries.iter().map(|entry| entry.message.text.to_string()).collect()
}

/// The next messages of a subscriber, which are without a gap.
async fn next(subscriber: &mut Subscriber) -> Vec<String> {
    loop {
        soon(subscriber.changed()).await;
        let batch = subscriber.read(&JSON, ALL);
        assert_eq!(batch.gap, None);
        if !batch.is_empty() {
            return texts(&batch);
        }
    }
}

/// Reads until a number of messages has come, which are without a gap.
async fn read(subscriber: &mut Subscriber, count: usize) -> Vec<String> {
    let mut read = Vec::new();
    while read.len() < count {
        read.extend(next(subscriber).await);
    }
    read
}

/// Waits for a condition.
#[track_caller]
fn until(condition: impl FnMut() -> bool) -> impl Future<Output = ()> {
    let mut condition = condition;
    soon(async move {
        while !condition() {
            sleep(Duration::from_millis(5)).await;
        }
    })
}

/// Another connection to the file of a directory.
fn file(directory: &Path) -> Connection {
    let connection = Connection::open(directory.join("push.db")).unwrap();
    connection.busy_timeout(testkit::PATIENCE).unwrap();
    connection
}

/// A number from the file.
fn number(directory: &Path, select: &str) -> i64 {
    file(directory).query_row(select, [], |row| row.get(0)).unwrap()
}

/// Makes the clock by which messages grow old go forward.
fn let_pass(directory: &Path, time: Duration) {
    let changed = file(directory).execute("UPDATE history SET age_millis = age_millis + ?1", [time.as_millis() as i64]);
    assert_eq!(changed.unwrap(), 1);
}
