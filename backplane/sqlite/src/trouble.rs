//! The reasons why an open history cannot be read or written now.

use std::borrow::Cow;

use rusqlite::{ErrorCode, ffi};

use crate::open_error::OpenError;
use shared::backplane::{NotReady, PublishError};

/// The reason why an open history cannot be read or written now. Most of them pass.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Trouble {
    #[error("another process has kept the file of the history locked for too long")]
    Busy,
    #[error("there is no room left for the file of the history; free some, and publishing goes on")]
    Full,
    #[error("the file of the history cannot be written to")]
    ReadOnly,
    #[error("the file of the history cannot be read or written: {0}")]
    Io(rusqlite::Error),
    /// It is not known which of the bytes written before are on the disk, so nothing is synced again.
    #[error("the disk has failed to store the history; nothing is published until this process is restarted")]
    Unsynced,
    /// The commit has failed half-way: a crash could still bring the messages back.
    #[error(transparent)]
    Uncommitted(Box<Self>),
    #[error("the file of the history is damaged: {0}")]
    Damaged(Cow<'static, str>),
    #[error("the file of the history was removed; put it back")]
    Removed,
    /// SQLite would put what is in the log into a file to which it does not belong.
    #[error(
        "the file of the history was replaced, but the files beside it, push.db-wal and push.db-shm, belong to the one before; stop \
         all processes that use it, and remove these two"
    )]
    StaleLog,
    #[error("the file of the history was replaced, and is being checked")]
    Replaced,
    #[error("the file holds an older history than this process; it is about to begin a new epoch")]
    WentBack,
    #[error("the file holds another history, which is not known yet")]
    OtherHistory,
    #[error("shutting down")]
    Stopped,
    #[error(transparent)]
    Open(#[from] Box<OpenError>),
    #[error("the file of the history cannot be used: {0}")]
    Other(rusqlite::Error),
}

impl Trouble {
    /// The trouble with a commit. Where there was no room for the log, the commit is not in it. All else can happen after it is.
    pub(crate) fn at_commit(error: rusqlite::Error) -> Self {
        let nothing_stored = error.sqlite_error_code() == Some(ErrorCode::DiskFull);
        match Self::from(error) {
            trouble if nothing_stored || trouble.is_final() => trouble,
            trouble => Self::Uncommitted(Box::new(trouble)),
        }
    }

    /// Returns whether it lasts for as long as the process lives.
    pub(crate) fn is_final(&self) -> bool {
        matches!(self, Self::Unsynced)
    }

    /// The answer to a publication that was under way.
    pub(crate) fn refusal(&self) -> PublishError {
        match self {
            Self::Unsynced | Self::Uncommitted(_) => PublishError::InDoubt(self.to_string()),
            _ => PublishError::NotReady(self.reason()),
        }
    }

    /// The reason for clients.
    pub(crate) fn reason(&self) -> NotReady {
        self.to_string().into()
    }
}

impl From<rusqlite::Error> for Trouble {
    fn from(error: rusqlite::Error) -> Self {
        let rusqlite::Error::SqliteFailure(failure, message) = &error else { return Self::Other(error) };
        match (failure.code, failure.extended_code) {
            (_, ffi::SQLITE_IOERR_FSYNC | ffi::SQLITE_IOERR_DIR_FSYNC) => Self::Unsynced,
            (ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked, _) => Self::Busy,
            (ErrorCode::DiskFull, _) | (_, ffi::SQLITE_IOERR_SHMSIZE) => Self::Full,
            (ErrorCode::ReadOnly, _) => Self::ReadOnly,
            (ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase, _) => {
                Self::Damaged(message.clone().map_or("its content is malformed".into(), Cow::Owned))
            }
            (ErrorCode::SystemIoFailure | ErrorCode::CannotOpen, _) => Self::Io(error),
            _ => Self::Other(error),
        }
    }
}
