//! This process's part in the shared history: what its follower, its publisher and its archive have in common.

use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::figures::StreamFigures;
use crate::link::Link;
use crate::status::Status;
use crate::stream::{HistoryStream, StreamSettings};
use shared::backplane::{NotReady, Progress};

/// The connection, the stream, and how much of it this process has.
pub(crate) struct Replica {
    pub(crate) link: Arc<Link>,
    pub(crate) stream: HistoryStream,
    pub(crate) progress: Progress,
    pub(crate) figures: StreamFigures,
    /// Has the follower inspect the stream now.
    pub(crate) inspection_wanted: Notify,
    status: Mutex<Status>,
}

impl Replica {
    pub(crate) fn new(link: Link, settings: StreamSettings) -> Self {
        let link = Arc::new(link);
        Self {
            stream: HistoryStream::new(Arc::clone(&link), settings),
            link,
            progress: Progress::default(),
            figures: StreamFigures::default(),
            inspection_wanted: Notify::new(),
            status: Mutex::new(Status::Unknown("not connected to NATS yet".into())),
        }
    }

    pub(crate) fn status(&self) -> Status {
        self.status.lock().clone()
    }

    /// Returns the reason as long as this process may not have the newest messages or cannot publish.
    pub(crate) fn ready(&self) -> Result<(), NotReady> {
        self.up()?;
        match self.status() {
            Status::Unknown(reason) | Status::Behind(reason) | Status::Unfit(reason) => Err(reason),
            Status::Following => Ok(()),
        }
    }

    /// Returns the reason as long as there is no history.
    pub(crate) fn known(&self) -> Result<(), NotReady> {
        match self.status() {
            Status::Unknown(reason) => Err(self.up().err().unwrap_or(reason)),
            Status::Behind(_) | Status::Unfit(_) | Status::Following => Ok(()),
        }
    }

    /// Returns the reason where a publication need not even be tried.
    pub(crate) fn publishable(&self) -> Result<(), NotReady> {
        self.up()?;
        match self.status() {
            Status::Unknown(reason) | Status::Unfit(reason) => Err(reason),
            Status::Behind(_) | Status::Following => Ok(()),
        }
    }

    /// Changes the status, and logs a change to another kind of status.
    pub(crate) fn set_status(&self, status: Status) {
        let mut current = self.status.lock();
        if *current != status {
            current.log_change(&status, self.stream.name(), self.link.up().is_ok());
            *current = status;
        }
    }

    /// Records that following has failed.
    pub(crate) fn set_failure(&self, reason: impl Into<NotReady>) {
        let status = self.status().after_failure(reason.into());
        self.set_status(status);
    }

    fn up(&self) -> Result<(), NotReady> {
        Ok(self.link.up().map_err(|error| error.to_string())?)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::time::Duration;

    use super::*;
    use crate::config::tests::config;
    use shared::hub::HistoryLimits;

    /// A replica that is not connected.
    pub(crate) fn replica() -> Arc<Replica> {
        let config = config(&["--nats", "nats://localhost"]);
        let limits = HistoryLimits { messages: 1000, age: Duration::from_secs(600), bytes: 64 << 20 };
        let link = Link::new(&config).unwrap();
        Arc::new(Replica::new(link, StreamSettings::new(&config, limits, 64 << 10)))
    }

    #[test]
    fn nothing_is_published_to_a_stream_that_cannot_keep_the_promise() {
        let replica = replica();
        replica.set_status(Status::Following);
        replica.set_status(Status::Unfit("no".into()));
        replica.set_failure("catching up");
        assert_eq!(replica.status(), Status::Unfit("no".into()));
    }
}
