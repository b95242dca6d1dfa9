//! The figures of this process's part in the stream, for those who run the service.

use std::sync::atomic::{AtomicU64, Ordering};

use shared::backplane::{ArchiveReads, Figure};

/// The figures of this process's part in the stream.
#[derive(Debug, Default)]
pub(crate) struct StreamFigures {
    waiting: AtomicU64,
    pub(crate) repeats: AtomicU64,
    behind: AtomicU64,
    pub(crate) archive: ArchiveReads,
}

/// A publication that waits for NATS, and counts until this is dropped.
pub(crate) struct WaitingPublication<'a>(&'a AtomicU64);

impl StreamFigures {
    /// Counts a publication among those that wait.
    pub(crate) fn begin_publication(&self) -> WaitingPublication<'_> {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        WaitingPublication(&self.waiting)
    }

    /// Records the number of messages of the stream that have not come yet.
    pub(crate) fn set_behind(&self, messages: u64) {
        self.behind.store(messages, Ordering::Relaxed);
    }

    /// The figures at this moment, with the condition of the connection and the number of connections that have been made.
    pub(crate) fn figures(&self, is_up: bool, connections: u64) -> Vec<Figure> {
        let mut figures = vec![
            Figure::gauge("nats_connected", "1 while there is a connection to NATS, or else 0", u64::from(is_up)),
            Figure::counter(
                "nats_reconnects",
                "Connections to NATS that were made after the first one",
                &AtomicU64::new(connections.saturating_sub(1)),
            ),
            Figure::gauge(
                "nats_publications_waiting",
                "Publications that NATS has not confirmed yet",
                self.waiting.load(Ordering::Relaxed),
            ),
            Figure::counter(
                "nats_publish_repeats",
                "Messages that were sent to NATS again, since it had not confirmed them",
                &self.repeats,
            ),
            Figure::gauge(
                "nats_behind_messages",
                "Messages that the stream had and this process did not when it last asked, which it does every 2 seconds",
                self.behind.load(Ordering::Relaxed),
            ),
        ];
        figures.extend(self.archive.figures());
        figures
    }
}

impl Drop for WaitingPublication<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
