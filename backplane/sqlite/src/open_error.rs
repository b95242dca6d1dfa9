//! The reasons why a history cannot be opened, and what to do about each.

use std::io;
use std::path::PathBuf;

use crate::wal::Damage;

/// The reason why a history cannot be opened. None of them heals by itself.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The flags name no directory.
    #[error("name the directory of the history with --data")]
    NoDirectory,
    /// The directory cannot be created or written to.
    #[error(
        "cannot write to {}: {reason}; make --data a directory that this user may write to, and mount it writable",
        path.display()
    )]
    NotWritable {
        /// The directory, or a file in it.
        path: PathBuf,
        /// The system's reason.
        reason: io::Error,
    },
    /// The file system does not keep what several processes need.
    #[error(
        "{} is on {file_system}, where several processes cannot safely share a file; use a directory on a disk of this machine \
         (in a container, a named volume), or give --data-exclusive if this process is the only one", directory.display()
    )]
    FileSystem {
        /// The directory.
        directory: PathBuf,
        /// The name of the file system.
        file_system: &'static str,
    },
    /// Another process has the directory for itself.
    #[error("{} is used by a process that was started with --data-exclusive; stop it first", .0.display())]
    UsedExclusively(PathBuf),
    /// Other processes use the directory.
    #[error("{} is used by other processes, so --data-exclusive cannot hold; stop them, or leave the flag out", .0.display())]
    UsedByOthers(PathBuf),
    /// There is no file, and this process must not create one.
    #[error("there is no history: {} does not exist; check --data", .0.display())]
    Missing(PathBuf),
    /// The file was removed while processes use it.
    #[error("{} was removed while other processes use it; put it back, or stop them to begin a new history", .0.display())]
    Removed(PathBuf),
    /// The database is gone, and a part of it is still there.
    #[error(
        "{} is missing or empty, but {} is there, which belongs to it; restore both from a backup, or remove the latter to begin \
         a new history", database.display(), wal.display()
    )]
    Orphan {
        /// The database.
        database: PathBuf,
        /// The write-ahead log.
        wal: PathBuf,
    },
    /// A file of a version of this program with another format.
    #[error(
        "{} was written by another version (its format is {version}, this version knows {known}); start the version that wrote it, \
         or name another directory with --data", path.display()
    )]
    OtherVersion {
        /// The file.
        path: PathBuf,
        /// The version of its format.
        version: i64,
        /// The version that is known.
        known: i64,
    },
    /// A file of another program.
    #[error(
        "{} is not a history of messages: it is another program's file, or its beginning is damaged; choose another directory \
         with --data, or restore a backup", .0.display()
    )]
    Foreign(PathBuf),
    /// The content is damaged.
    #[error(
        "{} is damaged ({reason}); restore a backup of it, remove {}-wal and {}-shm, and then run the subcommand new-epoch",
        path.display(), path.display(), path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The kind of damage.
        reason: String,
    },
    /// The write-ahead log is damaged before its end.
    #[error(
        "{} is damaged: {damage}; without help, every message that comes after would be lost in silence. Restore a backup of the \
         directory, or remove this file, which loses what is in it; run the subcommand new-epoch in either case", path.display()
    )]
    DamagedWal {
        /// The file.
        path: PathBuf,
        /// The kind of damage.
        damage: Damage,
    },
    /// SQLite cannot use the file.
    #[error("cannot open {}: {reason}", path.display())]
    Sqlite {
        /// The file.
        path: PathBuf,
        /// Its reason.
        reason: rusqlite::Error,
    },
    /// A file cannot be read.
    #[error("cannot read {}: {reason}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        reason: io::Error,
    },
}
