//! The lock by which a process knows whether it is alone in a directory.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::directory::Directory;
use crate::open_error::OpenError;

/// The content of the lock file while a process has the directory for itself.
const EXCLUSIVE: &str = "exclusive\n";

/// The content of the lock file once a process that was alone has found the directory in order. It is gone with the next one that
/// is alone.
const CHECKED: &str = "checked\n";

/// The time for which a process waits for another one that checks the directory, before it believes that the other one keeps it.
const PATIENCE: Duration = Duration::from_secs(1);

/// The pause between two attempts.
const PAUSE: Duration = Duration::from_millis(10);

/// The lock of a directory. Every process holds it for as long as it uses the directory: shared with others, or for itself.
#[derive(Debug)]
pub(crate) struct DirectoryLock {
    directory: Directory,
    file: File,
}

impl DirectoryLock {
    /// The lock, which is not held yet.
    pub(crate) fn open(directory: &Directory) -> Result<Self, OpenError> {
        let path = directory.lock();
        let opened = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
        let file = opened.map_err(|reason| OpenError::NotWritable { path, reason })?;
        Ok(Self { directory: directory.clone(), file })
    }

    /// Takes the lock for this process alone. Returns false if others hold it.
    pub(crate) fn try_alone(&mut self) -> Result<bool, OpenError> {
        if !taken(self.file.try_lock()).map_err(|error| self.failed(error))? {
            return Ok(false);
        }
        // The remains of a process that was killed.
        self.file.set_len(0).map_err(|error| self.failed(error))?;
        Ok(true)
    }

    /// As [`DirectoryLock::try_alone`], for the rest of the life of this process.
    pub(crate) fn keep_alone(&mut self) -> Result<(), OpenError> {
        let began = Instant::now();
        while !self.try_alone()? {
            if began.elapsed() > PATIENCE {
                let path = self.directory.path().to_owned();
                let exclusive = self.is_exclusive()?;
                return Err(if exclusive { OpenError::UsedExclusively(path) } else { OpenError::UsedByOthers(path) });
            }
            sleep(PAUSE);
        }
        self.write(EXCLUSIVE)
    }

    /// Gives up the lock of a process that was alone, and has found the directory in order.
    pub(crate) fn release_checked(&mut self) -> Result<(), OpenError> {
        self.write(CHECKED)?;
        self.release()
    }

    /// Takes the lock together with others, after those who check the directory have finished. Returns whether it was found in order.
    pub(crate) fn share(&mut self) -> Result<bool, OpenError> {
        let began = Instant::now();
        while !taken(self.file.try_lock_shared()).map_err(|error| self.failed(error))? {
            if began.elapsed() > PATIENCE && self.is_exclusive()? {
                return Err(OpenError::UsedExclusively(self.directory.path().to_owned()));
            }
            sleep(PAUSE);
        }
        Ok(self.content()? == CHECKED)
    }

    /// Gives the lock up.
    pub(crate) fn release(&mut self) -> Result<(), OpenError> {
        self.file.unlock().map_err(|error| self.failed(error))
    }

    fn is_exclusive(&mut self) -> Result<bool, OpenError> {
        Ok(self.content()? == EXCLUSIVE)
    }

    fn content(&mut self) -> Result<String, OpenError> {
        let mut content = String::new();
        let read = self.file.rewind().and_then(|()| self.file.read_to_string(&mut content));
        read.map_err(|error| self.failed(error))?;
        Ok(content)
    }

    fn write(&mut self, content: &str) -> Result<(), OpenError> {
        self.file.rewind().and_then(|()| self.file.write_all(content.as_bytes())).map_err(|error| self.failed(error))
    }

    fn failed(&self, reason: std::io::Error) -> OpenError {
        OpenError::NotWritable { path: self.directory.lock(), reason }
    }
}

fn taken(locked: Result<(), TryLockError>) -> std::io::Result<bool> {
    match locked {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(error),
    }
}
