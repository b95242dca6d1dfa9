//! The connections to the database.

use std::thread::sleep;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior};

use crate::directory::Directory;
use crate::file_identity::FileIdentity;
use crate::history_row::HistoryRow;
use crate::lock::DirectoryLock;
use crate::open_error::OpenError;
use crate::schema::{self, Content};
use crate::stop::Stop;
use crate::trouble::Trouble;
use shared::cursor::Epoch;

/// The time for which a transaction waits for those of other processes.
const BUSY: Duration = Duration::from_secs(5);

/// The time for which a reader waits for a process that is repairing the write-ahead log after a crash.
const READ_BUSY: Duration = Duration::from_secs(2);

/// The longest pause between two attempts to begin a transaction.
const MAX_PAUSE: Duration = Duration::from_millis(2);

/// The connections for reading that are kept.
const KEPT: usize = 6;

/// The connections to the database of a directory. They follow the path: where another file has taken the place of the one that
/// is open, the next use opens that one.
///
/// With `--data-exclusive` there is no shared memory, and so one connection for everything.
pub(crate) struct Database {
    directory: Directory,
    exclusive: bool,
    stop: Stop,
    writer: Mutex<Option<Handle>>,
    readers: Mutex<Vec<Handle>>,
    accepted: Mutex<Accepted>,
    /// Given up after all connections are closed.
    _lock: DirectoryLock,
}

/// The file whose history this process has checked. Only that one is written to.
#[derive(Clone, Copy)]
struct Accepted {
    file: FileIdentity,
    log: Option<FileIdentity>,
}

/// A connection, and the file to which it leads.
pub(crate) struct Handle {
    pub(crate) connection: Connection,
    file: FileIdentity,
}

impl Handle {
    /// Opens the database of a directory, which has to exist.
    pub(crate) fn open(directory: &Directory, exclusive: bool) -> Result<Self, OpenError> {
        Self::open_with(directory, exclusive, OpenFlags::SQLITE_OPEN_READ_WRITE)
    }

    /// As [`Handle::open`], and creates the database if it is missing.
    pub(crate) fn create(directory: &Directory, exclusive: bool) -> Result<Self, OpenError> {
        Self::open_with(directory, exclusive, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE)
    }

    fn open_with(directory: &Directory, exclusive: bool, flags: OpenFlags) -> Result<Self, OpenError> {
        let path = directory.database();
        let before = FileIdentity::at(&path);
        let failed = |error| schema::unreadable(&path, error);
        let connection = Connection::open_with_flags(&path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX).map_err(failed)?;
        if connection.is_readonly("main").map_err(failed)? {
            return Err(OpenError::NotWritable { path, reason: std::io::ErrorKind::PermissionDenied.into() });
        }
        set_up(&connection, exclusive).map_err(failed)?;
        match FileIdentity::at(&path) {
            Some(file) if before.is_none_or(|before| before == file) => Ok(Self { connection, file }),
            _ => Err(OpenError::Removed(path)),
        }
    }
}

/// Sets a connection up. The journal mode is a property of the file, and some ways to make a backup do not keep it.
fn set_up(connection: &Connection, exclusive: bool) -> Result<(), rusqlite::Error> {
    connection.busy_timeout(READ_BUSY)?;
    connection.set_prepared_statement_cache_capacity(64);
    if exclusive {
        // Before the first access, so that no shared memory is used.
        connection.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
    }
    connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    connection.execute_batch(
        "PRAGMA synchronous = FULL; PRAGMA cache_size = -8192; PRAGMA temp_store = MEMORY; PRAGMA trusted_schema = OFF;
         PRAGMA cell_size_check = ON; PRAGMA journal_size_limit = 16777216; PRAGMA wal_autocheckpoint = 4000; PRAGMA mmap_size = 0",
    )
}

impl Database {
    /// The connections to a database that was checked, of which the first is open.
    pub(crate) fn new(directory: Directory, exclusive: bool, stop: Stop, first: Handle, lock: DirectoryLock) -> Self {
        let accepted = Mutex::new(Accepted { file: first.file, log: FileIdentity::at(&directory.wal()) });
        let (writer, readers) = (Mutex::new(Some(first)), Mutex::default());
        Self { directory, exclusive, stop, writer, readers, accepted, _lock: lock }
    }

    pub(crate) fn directory(&self) -> &Directory {
        &self.directory
    }

    pub(crate) fn is_exclusive(&self) -> bool {
        self.exclusive
    }

    /// Reads from the file that was accepted.
    pub(crate) fn read<R>(&self, read: impl FnOnce(&Connection) -> Result<R, Trouble>) -> Result<R, Trouble> {
        if self.present()? != self.accepted.lock().file {
            return Err(Trouble::Replaced);
        }
        self.inspect(|connection, _| read(connection))
    }

    /// Reads from the file that is there, which `read` is given too.
    pub(crate) fn inspect<R>(
        &self,
        read: impl FnOnce(&Connection, FileIdentity) -> Result<R, Trouble>,
    ) -> Result<R, Trouble> {
        let file = self.present()?;
        if self.exclusive {
            return self.with_writer(file, |connection| read(connection, file));
        }
        let kept = {
            let mut readers = self.readers.lock();
            readers.retain(|handle| handle.file == file);
            readers.pop()
        };
        let handle = kept.map_or_else(|| self.open(file), Ok)?;
        let outcome = read(&handle.connection, file);
        // One that has failed is closed: what it remembers of the file may be wrong.
        if outcome.is_ok() {
            let mut readers = self.readers.lock();
            if readers.len() < KEPT {
                readers.push(handle);
            }
        }
        outcome
    }

    /// Begins a transaction that writes, once those of other processes are done, and calls `write`, which commits it.
    pub(crate) fn write<R>(&self, write: impl FnOnce(Transaction<'_>) -> Result<R, Trouble>) -> Result<R, Trouble> {
        let file = self.accepted.lock().file;
        self.write_to(file, write)
    }

    /// Gives the history of a file a new epoch, unless it has another one than `from` already.
    pub(crate) fn renew_epoch(&self, file: FileIdentity, from: Option<Epoch>) -> Result<Epoch, Trouble> {
        self.write_to(file, |transaction| {
            let mut row = HistoryRow::read(&transaction)?;
            if from.is_none_or(|from| from == row.epoch) {
                row.epoch = newer_than(row.epoch);
                row.write(&transaction)?;
                transaction.commit().map_err(Trouble::at_commit)?;
            }
            Ok(row.epoch)
        })
    }

    /// The file that is at the path.
    pub(crate) fn present(&self) -> Result<FileIdentity, Trouble> {
        FileIdentity::at(&self.directory.database()).ok_or(Trouble::Removed)
    }

    /// Returns whether the history of a file was checked.
    pub(crate) fn is_accepted(&self, file: FileIdentity) -> bool {
        self.accepted.lock().file == file
    }

    /// Makes a file the one that is written to, after its history was checked.
    pub(crate) fn accept(&self, file: FileIdentity) {
        *self.accepted.lock() = Accepted { file, log: FileIdentity::at(&self.directory.wal()) };
    }

    fn write_to<R>(
        &self,
        file: FileIdentity,
        write: impl FnOnce(Transaction<'_>) -> Result<R, Trouble>,
    ) -> Result<R, Trouble> {
        self.with_writer(file, |connection| {
            let transaction = self.begin(connection)?;
            // Only now, since it may have been removed while this waited.
            if self.present()? != file {
                return Err(Trouble::Replaced);
            }
            write(transaction)
        })
    }

    fn with_writer<R>(
        &self,
        file: FileIdentity,
        using: impl FnOnce(&Connection) -> Result<R, Trouble>,
    ) -> Result<R, Trouble> {
        let mut writer = self.writer.lock();
        if writer.as_ref().is_none_or(|handle| handle.file != file) {
            *writer = None;
            *writer = Some(self.open(file)?);
        }
        match &*writer {
            Some(handle) => using(&handle.connection),
            None => Err(Trouble::Removed),
        }
    }

    /// Opens a file that has a history.
    fn open(&self, file: FileIdentity) -> Result<Handle, Trouble> {
        // Another one is not even opened: closing it could write what is in the log into it.
        if self.present()? != file {
            return Err(Trouble::Replaced);
        }
        let accepted = *self.accepted.lock();
        let log = FileIdentity::at(&self.directory.wal());
        if file != accepted.file && log.is_some() && log == accepted.log {
            return Err(Trouble::StaleLog);
        }
        let handle = Handle::open(&self.directory, self.exclusive).map_err(Box::new)?;
        if handle.file != file {
            return Err(Trouble::Replaced);
        }
        match schema::inspect(&handle.connection, &self.directory.database()).map_err(Box::new)? {
            Content::History => Ok(handle),
            Content::Empty => Err(Trouble::Damaged("it is empty".into())),
        }
    }

    /// Begins a transaction that writes. Not by SQLite's own waiting, whose pauses grow so long that other processes would always
    /// be faster.
    fn begin<'a>(&self, connection: &'a Connection) -> Result<Transaction<'a>, Trouble> {
        connection.busy_timeout(Duration::ZERO)?;
        let began = Instant::now();
        let mut pause = Duration::from_micros(50);
        loop {
            match Transaction::new_unchecked(connection, TransactionBehavior::Immediate).map_err(Trouble::from) {
                Err(Trouble::Busy) if self.stop.is_set() => return Err(Trouble::Stopped),
                Err(Trouble::Busy) if began.elapsed() < BUSY => {
                    sleep(pause.mul_f64(0.5 + fastrand::f64()));
                    pause = (pause * 2).min(MAX_PAUSE);
                }
                outcome => return outcome,
            }
        }
    }
}

/// A new epoch, which is not the present one.
fn newer_than(epoch: Epoch) -> Epoch {
    std::iter::repeat_with(Epoch::born_now).find(|new| *new != epoch).unwrap_or(epoch)
}
