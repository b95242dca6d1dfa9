//! Opening the history of a directory, with the checks that only the first process can make.

use std::fs;
use std::thread::sleep;
use std::time::Duration;

use crate::age_clock::{AgeReference, BootTime};
use crate::config::SqliteConfig;
use crate::database::{Database, Handle};
use crate::directory::Directory;
use crate::file_system;
use crate::lock::DirectoryLock;
use crate::open_error::OpenError;
use crate::schema::{self, Content};
use crate::stop::Stop;
use crate::wal;
use shared::cursor::Epoch;

/// A database up to this size is read as a whole before it is used.
const CHECKED: u64 = 64 << 20;

/// The attempts to find the file that another process is about to check or create.
const ATTEMPTS: u32 = 100;

/// The pause between two of them, on average.
const PAUSE: Duration = Duration::from_millis(10);

/// Opens the history in the directory that the flags name, and begins one if there is none.
pub(crate) fn open_or_begin(config: &SqliteConfig, stop: Stop) -> Result<Database, OpenError> {
    let directory = Directory::create(config.directory().ok_or(OpenError::NoDirectory)?)?;
    Opening { directory, exclusive: config.data_exclusive, may_begin: true }.open(stop)
}

/// Opens the history in the directory that the flags name, which has to exist.
pub(crate) fn open_existing(config: &SqliteConfig) -> Result<Database, OpenError> {
    let directory = Directory::existing(config.directory().ok_or(OpenError::NoDirectory)?)?;
    Opening { directory, exclusive: config.data_exclusive, may_begin: false }.open(Stop::default())
}

struct Opening {
    directory: Directory,
    exclusive: bool,
    may_begin: bool,
}

impl Opening {
    fn open(self, stop: Stop) -> Result<Database, OpenError> {
        self.check_file_system()?;
        let mut lock = DirectoryLock::open(&self.directory)?;
        if self.exclusive {
            lock.keep_alone()?;
            let handle = self.check_alone()?;
            return Ok(Database::new(self.directory, true, stop, handle, lock));
        }
        for _ in 0..ATTEMPTS {
            if lock.try_alone()? {
                // All connections are closed before others may come: one of them could be the next to be alone, for a moment.
                drop(self.check_alone()?);
                lock.release_checked()?;
            }
            if lock.share()?
                && let Some(handle) = self.open_checked()?
            {
                return Ok(Database::new(self.directory, false, stop, handle, lock));
            }
            // Whoever was alone has died, or has found something wrong. The next one that is alone checks it again.
            lock.release()?;
            sleep(PAUSE.mul_f64(0.5 + fastrand::f64()));
        }
        Err(OpenError::Removed(self.directory.database()))
    }

    fn check_file_system(&self) -> Result<(), OpenError> {
        let directory = self.directory.path();
        if file_system::is_in_memory(directory) {
            tracing::warn!(directory = %directory.display(), "the history is in memory, and gone when the machine is switched off");
        }
        let unreadable = |reason| OpenError::Unreadable { path: directory.to_owned(), reason };
        match file_system::untrusted(directory).map_err(unreadable)? {
            Some(file_system) if !self.exclusive => {
                Err(OpenError::FileSystem { directory: directory.to_owned(), file_system })
            }
            _ => Ok(()),
        }
    }

    /// Opens a file that the first process has checked. `None` if there is no history in it.
    fn open_checked(&self) -> Result<Option<Handle>, OpenError> {
        let path = self.directory.database();
        if !path.exists() {
            return Ok(None);
        }
        let handle = Handle::open(&self.directory, self.exclusive)?;
        let content = schema::inspect(&handle.connection, &path)?;
        Ok((content == Content::History).then_some(handle))
    }

    /// Checks the file as the only process that uses it, and begins a history if there is none.
    fn check_alone(&self) -> Result<Handle, OpenError> {
        let (path, wal) = (self.directory.database(), self.directory.wal());
        let size = |path| fs::metadata(path).map_or(0, |metadata| metadata.len());
        let is_new = size(&path) == 0;
        if is_new && size(&wal) > 0 {
            return Err(OpenError::Orphan { database: path, wal });
        }
        let unreadable = |reason| OpenError::Unreadable { path: wal.clone(), reason };
        if let Some(damage) = wal::find_damage(&wal).map_err(unreadable)? {
            return Err(OpenError::DamagedWal { path: wal, damage });
        }
        let mut handle = match is_new {
            true if !self.may_begin => return Err(OpenError::Missing(path)),
            true => Handle::create(&self.directory, self.exclusive)?,
            false => Handle::open(&self.directory, self.exclusive)?,
        };
        let failed = |error| schema::unreadable(&path, error);
        match schema::inspect(&handle.connection, &path)? {
            Content::Empty if !self.may_begin => return Err(OpenError::Missing(path)),
            Content::Empty => {
                let epoch = Epoch::born_now();
                schema::create(&mut handle.connection, epoch, &AgeReference::new(BootTime::now())).map_err(failed)?;
                tracing::info!(%epoch, file = %path.display(), "a new history begins");
            }
            Content::History => {
                if size(&path) <= CHECKED {
                    self.check_content(&handle)?;
                }
            }
        }
        // Into the database, so that what comes next has a log of its own.
        handle.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).map_err(failed)?;
        Ok(handle)
    }

    fn check_content(&self, handle: &Handle) -> Result<(), OpenError> {
        let path = self.directory.database();
        let found = quick_check(&handle.connection).map_err(|error| schema::unreadable(&path, error))?;
        found.map_or(Ok(()), |reason| Err(OpenError::Damaged { path, reason }))
    }
}

/// Reads the whole database, and returns the first damage that is found.
pub(crate) fn quick_check(connection: &rusqlite::Connection) -> Result<Option<String>, rusqlite::Error> {
    let found: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    Ok((found != "ok").then_some(found))
}
