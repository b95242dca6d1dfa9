//! The directory of a history, and the files in it.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use crate::open_error::OpenError;

/// The directory of a history: the database with its write-ahead log, the lock, and a socket for each process.
#[derive(Debug, Clone)]
pub(crate) struct Directory {
    path: PathBuf,
}

impl Directory {
    /// The directory at a path, which is created with its parents if it is missing.
    pub(crate) fn create(path: &Path) -> Result<Self, OpenError> {
        create(path)?;
        Ok(Self { path: path.to_owned() })
    }

    /// The directory at a path, which has to have a database.
    pub(crate) fn existing(path: &Path) -> Result<Self, OpenError> {
        let directory = Self { path: path.to_owned() };
        let database = directory.database();
        if database.exists() { Ok(directory) } else { Err(OpenError::Missing(database)) }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.path.join("push.db")
    }

    /// The write-ahead log, which SQLite names.
    pub(crate) fn wal(&self) -> PathBuf {
        self.path.join("push.db-wal")
    }

    pub(crate) fn lock(&self) -> PathBuf {
        self.path.join("push.lock")
    }

    /// The folder of the sockets, which is created if it is missing.
    pub(crate) fn bells(&self) -> Result<PathBuf, OpenError> {
        let path = self.path.join("bells");
        create(&path)?;
        Ok(path)
    }
}

/// Creates a folder that its owner alone may use.
fn create(path: &Path) -> Result<(), OpenError> {
    let failed = |reason| OpenError::NotWritable { path: path.to_owned(), reason };
    DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(failed)
}
