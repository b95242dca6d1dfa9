//! The figures of the file, which this process counts and measures for those who run the service.

use std::fs;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::directory::Directory;
use crate::history_row::HistoryRow;
use crate::trouble::Trouble;
use shared::backplane::{ArchiveReads, Figure, Reading, Times};

/// The labels of the reasons for which writing fails.
const REASONS: [&str; 8] = ["busy", "full", "read_only", "io", "sync", "damaged", "removed", "other"];

/// The figures of the file.
#[derive(Debug, Default)]
pub(crate) struct FileFigures {
    file: AtomicU64,
    log: AtomicU64,
    disk: AtomicU64,
    disk_available: AtomicU64,
    messages: AtomicU64,
    bytes: AtomicU64,
    /// `--history-bytes`.
    bytes_limit: AtomicU64,
    /// The times of the commits of this process.
    pub(crate) commits: Times,
    /// By [`REASONS`].
    failures: [AtomicU64; REASONS.len()],
    pub(crate) archive: ArchiveReads,
}

impl FileFigures {
    /// Sets the limit of what the messages may take.
    pub(crate) fn set_limit(&self, bytes: usize) {
        self.bytes_limit.store(bytes as u64, Ordering::Relaxed);
    }

    /// Measures the files and their disk. A file that is missing has no bytes; a figure that the system does not tell stays.
    pub(crate) fn measure(&self, directory: &Directory) {
        let size = |path| fs::metadata(path).map_or(0, |file| file.len());
        self.file.store(size(directory.database()), Ordering::Relaxed);
        self.log.store(size(directory.wal()), Ordering::Relaxed);
        if let Ok(disk) = rustix::fs::statvfs(directory.path()) {
            self.disk.store(disk.f_blocks.saturating_mul(disk.f_frsize), Ordering::Relaxed);
            // The blocks that are not reserved for root.
            self.disk_available.store(disk.f_bavail.saturating_mul(disk.f_frsize), Ordering::Relaxed);
        }
    }

    /// Takes over what the row says of the history.
    pub(crate) fn take(&self, row: &HistoryRow) {
        self.messages.store(row.messages, Ordering::Relaxed);
        self.bytes.store(row.bytes, Ordering::Relaxed);
    }

    /// Counts an attempt to write that has failed.
    pub(crate) fn count_failure(&self, trouble: &Trouble) {
        let label = label(trouble);
        if let Some(index) = REASONS.iter().position(|reason| *reason == label) {
            self.failures[index].fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The figures at this moment.
    pub(crate) fn figures(&self) -> Vec<Figure> {
        let gauge = |name, help, value: &AtomicU64| Figure::gauge(name, help, value.load(Ordering::Relaxed));
        let failures = REASONS.into_iter().zip(&self.failures);
        let counts = failures.map(|(reason, count)| (reason, count.load(Ordering::Relaxed))).collect();
        let mut figures = vec![
            gauge("sqlite_file_bytes", "The size of push.db, which never shrinks", &self.file),
            gauge("sqlite_wal_bytes", "The size of push.db-wal, the log in which commits are first", &self.log),
            gauge("sqlite_disk_bytes", "The size of the disk on which the file is", &self.disk),
            gauge("sqlite_disk_available_bytes", "The room that is left on that disk", &self.disk_available),
            gauge("sqlite_messages", "Messages in the file", &self.messages),
            gauge("sqlite_history_bytes", "What they count for --history-bytes", &self.bytes),
            gauge("sqlite_history_bytes_limit", "--history-bytes, which the file is held to", &self.bytes_limit),
            self.commits.figure(
                "sqlite_commit_seconds",
                "The time that a commit of this process took to be on the disk, and a checkpoint of the log now and then",
            ),
            Figure {
                name: "sqlite_write_failures",
                help: "Attempts of this process to write to the file that failed, by the reason",
                reading: Reading::Counters { label: "reason", counts },
            },
        ];
        figures.extend(self.archive.figures());
        figures
    }
}

/// The label of the reason why writing fails, one of [`REASONS`].
fn label(trouble: &Trouble) -> &'static str {
    match trouble {
        Trouble::Busy => "busy",
        Trouble::Full => "full",
        Trouble::ReadOnly => "read_only",
        Trouble::Io(_) => "io",
        Trouble::Unsynced => "sync",
        Trouble::Uncommitted(trouble) => label(trouble),
        Trouble::Damaged(_) => "damaged",
        Trouble::Removed => "removed",
        Trouble::StaleLog
        | Trouble::Replaced
        | Trouble::WentBack
        | Trouble::OtherHistory
        | Trouble::Stopped
        | Trouble::Open(_)
        | Trouble::Other(_) => "other",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_failure_is_counted_under_one_reason() {
        let figures = FileFigures::default();
        let troubles = [Trouble::Busy, Trouble::Full, Trouble::ReadOnly, Trouble::Unsynced, Trouble::Removed];
        let troubles = troubles.into_iter().chain([
            Trouble::Damaged("x".into()),
            Trouble::Io(rusqlite::Error::InvalidQuery),
            Trouble::Uncommitted(Box::new(Trouble::StaleLog)),
        ]);
        troubles.for_each(|trouble| figures.count_failure(&trouble));
        let counted = figures.figures().into_iter().find(|figure| figure.name == "sqlite_write_failures").unwrap();
        let counts = REASONS.map(|reason| (reason, 1)).to_vec();
        assert_eq!(counted.reading, Reading::Counters { label: "reason", counts });
    }
}
