//! This process's part in the shared history: what its follower, its writer and its archive have in common.

use parking_lot::Mutex;

use crate::figures::FileFigures;
use crate::trouble::Trouble;
use shared::backplane::{NotReady, Progress};

/// The condition of this process's part in the history.
pub(crate) struct Replica {
    pub(crate) progress: Progress,
    pub(crate) figures: FileFigures,
    status: Mutex<Status>,
}

/// The reasons why this process does less than it could.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Status {
    /// The reason why there is no history yet, so that nobody can be given a position in it.
    unknown: Option<NotReady>,
    /// The reason why the file cannot be followed.
    following: Option<NotReady>,
    /// The reason why the file cannot be written.
    writing: Option<NotReady>,
    /// The reason counts for as long as the process lives.
    is_final: bool,
}

impl Replica {
    pub(crate) fn new() -> Self {
        let unknown = Some("opening the history".into());
        let status = Status { unknown, following: None, writing: None, is_final: false };
        Self { progress: Progress::default(), figures: FileFigures::default(), status: Mutex::new(status) }
    }

    /// Returns the reason as long as this process may not have the newest messages or cannot publish.
    pub(crate) fn ready(&self) -> Result<(), NotReady> {
        let Status { unknown, following, writing, .. } = self.status.lock().clone();
        unknown.or(following).or(writing).map_or(Ok(()), Err)
    }

    /// Returns the reason as long as there is no history.
    pub(crate) fn known(&self) -> Result<(), NotReady> {
        self.status.lock().unknown.clone().map_or(Ok(()), Err)
    }

    /// Returns the reason as long as nothing can be published.
    pub(crate) fn publishable(&self) -> Result<(), NotReady> {
        let Status { unknown, writing, .. } = self.status.lock().clone();
        unknown.or(writing).map_or(Ok(()), Err)
    }

    /// Returns the reason where a publication need not even be tried. What the writer could not do before, it tries again.
    pub(crate) fn accepts_publications(&self) -> Result<(), NotReady> {
        let status = self.status.lock();
        let reason = status.unknown.clone().or_else(|| status.writing.clone().filter(|_| status.is_final));
        reason.map_or(Ok(()), Err)
    }

    /// Returns whether the file could not be written when that was last tried.
    pub(crate) fn is_unwritable(&self) -> bool {
        self.status.lock().writing.is_some()
    }

    /// Records how far the first read has come.
    pub(crate) fn set_filling(&self, read: u64, total: u64) {
        let mut status = self.status.lock();
        if status.unknown.is_some() {
            status.unknown = Some(format!("filling the history: {read} of {total}").into());
        }
    }

    /// Records that the hub has the history as it is in the file.
    pub(crate) fn set_following(&self) {
        let mut status = self.status.lock();
        if status.unknown.take().is_some() {
            tracing::info!("following the history");
        } else if status.following.take().is_some() {
            tracing::info!("following the history again");
        }
        status.following = None;
    }

    /// Records that the file cannot be followed.
    pub(crate) fn set_not_following(&self, trouble: &Trouble) {
        let mut status = self.status.lock();
        let reason = Some(trouble.reason());
        let present = if status.unknown.is_some() { &mut status.unknown } else { &mut status.following };
        if *present != reason {
            tracing::warn!(%trouble, "not following the history, trying again");
            *present = reason;
        }
    }

    /// Records that the file was written.
    pub(crate) fn set_writable(&self) {
        let mut status = self.status.lock();
        if !status.is_final && status.writing.take().is_some() {
            tracing::info!("publishing works again");
        }
    }

    /// Records that the file cannot be written.
    pub(crate) fn set_unwritable(&self, trouble: &Trouble) {
        let mut status = self.status.lock();
        let reason = Some(trouble.reason());
        if status.is_final || status.writing == reason {
            return;
        }
        tracing::error!(%trouble, "nothing can be published");
        status.writing = reason;
        status.is_final = trouble.is_final();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_sync_is_final_and_other_trouble_is_not() {
        let replica = Replica::new();
        replica.set_following();
        replica.set_unwritable(&Trouble::Full);
        assert!(replica.known().is_ok() && replica.accepts_publications().is_ok());
        assert!(replica.publishable().is_err() && replica.ready().is_err());
        replica.set_writable();
        assert!(replica.publishable().is_ok() && replica.ready().is_ok());
        replica.set_unwritable(&Trouble::Unsynced);
        replica.set_writable();
        assert!(replica.publishable().is_err() && replica.accepts_publications().is_err());
    }
}
