//! The figures that the backplane counts for those who run the service.

use rusqlite::Connection;
use shared::backplane::{Backplane, Reading};
use shared::cursor::Position;
use tempfile::TempDir;

use super::instance::{Instance, Settings};
use super::trouble::Mount;
use super::{file, number, read, until};

impl Instance {
    /// The value of a figure; of a histogram, the number of times.
    fn figure(&self, name: &str) -> u64 {
        let figures = self.sqlite.figures();
        match &figures.iter().find(|figure| figure.name == name).unwrap().reading {
            Reading::Gauge(value) | Reading::Counter(value) => *value,
            Reading::Counters { counts, .. } => counts.iter().map(|(_, count)| count).sum(),
            Reading::Histogram { buckets, .. } => buckets.iter().map(|(_, count)| count).sum(),
        }
    }

    fn failures(&self, reason: &str) -> u64 {
        let figures = self.sqlite.figures();
        let failures = figures.iter().find(|figure| figure.name == "sqlite_write_failures").unwrap();
        let Reading::Counters { label: "reason", counts } = &failures.reading else { panic!("{failures:?}") };
        counts.iter().find(|(name, _)| *name == reason).unwrap().1
    }
}

#[tokio::test]
async fn the_file_is_measured_and_its_messages_are_counted() {
    let directory = TempDir::new().unwrap();
    let [one, other] = [Instance::open(directory.path()).await, Instance::open(directory.path()).await];
    let text = "x".repeat(1000);
    for _ in 0..5 {
        one.publish("a", &text).await;
    }
    assert_eq!(one.figure("sqlite_messages"), 5);
    assert!(one.figure("sqlite_commit_seconds") >= 5);
    assert_eq!(one.failures("full"), 0);
    let bytes = u64::try_from(number(directory.path(), "SELECT bytes FROM history")).unwrap();
    assert_eq!(one.figure("sqlite_history_bytes"), bytes);
    // Messages of another process count too.
    until(|| other.figure("sqlite_messages") == 5 && other.figure("sqlite_history_bytes") == bytes).await;

    let size = |name: &str| std::fs::metadata(directory.path().join(name)).map_or(0, |file| file.len());
    until(|| other.figure("sqlite_wal_bytes") == size("push.db-wal") && size("push.db-wal") > 5000).await;
    until(|| other.figure("sqlite_file_bytes") == size("push.db")).await;
    assert!(one.figure("sqlite_disk_bytes") > one.figure("sqlite_disk_available_bytes"));
    assert!(one.figure("sqlite_disk_available_bytes") > 0);
    // Everything is in the log, which is put into the file here.
    let checkpoint = |connection: &Connection| connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)");
    let before = other.figure("sqlite_file_bytes");
    until(|| checkpoint(&file(directory.path())).is_ok() && other.figure("sqlite_wal_bytes") < 5000).await;
    until(|| other.figure("sqlite_file_bytes") > before).await;
    for instance in [one, other] {
        instance.stop().await;
    }
}

#[tokio::test]
async fn reads_of_what_memory_does_not_hold_are_counted() {
    let directory = TempDir::new().unwrap();
    let instance = Instance::open_with(directory.path(), Settings::little_memory()).await;
    for _ in 0..50 {
        instance.publish("a", &"x".repeat(900)).await;
    }
    assert_eq!(instance.figure("archive_read_seconds"), 0);
    let mut subscriber = instance.follow(&["a"], Position::Earliest);
    assert_eq!(read(&mut subscriber, 50).await.len(), 50);
    assert!(instance.figure("archive_read_seconds") > 0);
    assert_eq!(instance.figure("archive_read_failures"), 0);
    instance.stop().await;
}

#[tokio::test]
async fn a_commit_that_finds_no_room_is_counted_as_such() {
    let Some(mount) = Mount::small() else { return };
    let instance = Instance::open(mount.path()).await;
    // It ends with an error, when nothing more fits.
    assert!(std::fs::write(mount.path().join("filler"), vec![0; 4 << 20]).is_err());
    let text = "x".repeat(100_000);
    while instance.try_publish("b", &[&text], None).await.is_ok() {}
    assert!(instance.failures("full") > 0);
    until(|| instance.figure("sqlite_disk_available_bytes") < 1 << 20).await;
    instance.stop().await;
}
