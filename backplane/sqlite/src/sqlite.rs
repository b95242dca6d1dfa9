//! The backplane.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytesize::ByteSize;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use tokio::time::timeout;

use crate::archive::{FileArchive, Shelf};
use crate::config::SqliteConfig;
use crate::database::Database;
use crate::history_row::HistoryRow;
use crate::opening;
use crate::queue::Queue;
use crate::replica::Replica;
use crate::retention;
use crate::stop::Stop;
use crate::threads::{Parts, Threads};
use crate::writer::WriterLimits;
use shared::backplane::{Backplane, Fatal, Figure, NotReady, Publication, PublishError, Receipt};
use shared::cursor::{Cursor, Epoch};
use shared::hub::{HistoryLimits, Hub};
use shared::wall_clock::{SystemClock, WallClock};

/// The time that a client which has come further on another process may wait for this one.
const CATCH_UP: Duration = Duration::from_secs(1);

/// The history that a file holds for the processes of one machine.
pub struct Sqlite {
    config: SqliteConfig,
    replica: Arc<Replica>,
    hub: Hub,
    queue: Arc<Queue>,
    shelf: Arc<Shelf>,
    /// Taken by the first call of [`Backplane::run`].
    parts: Mutex<Option<Parts>>,
}

/// The reason why the flags cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The memory has no room for the largest message.
    #[error(
        "--memory-bytes ({memory}) has to be at least four times --max-message-bytes ({message}); raise the one or lower the other"
    )]
    MemoryTooSmall {
        /// `--memory-bytes`.
        memory: ByteSize,
        /// `--max-message-bytes`.
        message: ByteSize,
    },
}

impl Sqlite {
    /// Returns a history that is opened, filled and followed once the backplane runs, and the hub that it feeds. The file is held to
    /// the limits, and remembers at most `keys` idempotency keys. Subscribers are left asleep for the duration `gather`, so
    /// that they are woken once for several messages.
    ///
    /// # Errors
    /// When the flags contradict each other.
    pub fn new(
        config: &SqliteConfig,
        limits: HistoryLimits,
        keys: usize,
        max_message_bytes: u64,
        gather: Duration,
    ) -> Result<(Self, Hub), ConfigError> {
        let (memory, message) = (config.memory_bytes, ByteSize::b(max_message_bytes));
        if memory.as_u64() / 4 < message.as_u64() {
            return Err(ConfigError::MemoryTooSmall { memory, message });
        }
        let (shelf, replica) = (Arc::new(Shelf::new()), Arc::new(Replica::new()));
        replica.figures.set_limit(limits.bytes);
        let archive = Arc::new(FileArchive::new(Arc::clone(&shelf), Arc::clone(&replica)));
        let bytes = usize::try_from(memory.as_u64()).unwrap_or(usize::MAX);
        // This history is never filled: the one that the file holds replaces it.
        let (hub, appender) = Hub::with_archive(Epoch::new(0), HistoryLimits { bytes, ..limits }, Some(archive));
        let queue = Arc::new(Queue::new());
        let parts = Parts {
            replica: Arc::clone(&replica),
            queue: Arc::clone(&queue),
            hub: hub.clone(),
            // A history knows its successor, so whoever kept the hub's first one would keep all that came after it.
            initial: appender.renew(Epoch::new(0)),
            limits,
            writer_limits: WriterLimits { messages: limits.messages, share: retention::share(&limits), keys },
            memory: memory.as_u64(),
            gather,
            wall_clock: Arc::new(SystemClock),
        };
        let parts = Mutex::new(Some(parts));
        Ok((Self { config: config.clone(), replica, hub: hub.clone(), queue, shelf, parts }, hub))
    }

    /// Dates messages by another clock than the system's.
    pub fn dated_by(mut self, clock: impl WallClock + 'static) -> Self {
        if let Some(parts) = self.parts.get_mut() {
            parts.wall_clock = Arc::new(clock);
        }
        self
    }

    async fn publish(&self, publication: Publication) -> Result<Receipt, PublishError> {
        self.replica.accepts_publications().map_err(PublishError::NotReady)?;
        self.queue.publish(publication).await
    }

    async fn locate(&self, cursor: Cursor) -> Result<(), NotReady> {
        let read = |database: &Database| database.read(|connection| Ok(HistoryRow::read(connection)?));
        let row = self.shelf.read(read).await;
        let row = row.map_err(|trouble| format!("it is not known how far the history goes: {trouble}"))?;
        let (here, progress) = (self.hub.head().epoch, &self.replica.progress);
        if row.epoch != here {
            // The history here has ended, and the cursor may be of the next one, which this process does not have yet.
            let _ = timeout(CATCH_UP, progress.until_other_than(here)).await;
            if row.epoch != self.hub.head().epoch {
                return Err("the file holds another history, which is not known yet".into());
            }
        }
        if cursor.epoch == row.epoch && cursor.offset <= row.last {
            let _ = timeout(CATCH_UP, progress.until(cursor)).await;
        }
        // A cursor of another history, or after the end of this one, stays unknown to the hub, which sends a gap.
        self.hub.extend_horizon(Cursor { epoch: row.epoch, offset: row.last });
        Ok(())
    }
}

impl Backplane for Sqlite {
    fn publish(&self, publication: Publication) -> BoxFuture<'_, Result<Receipt, PublishError>> {
        self.publish(publication).boxed()
    }

    fn ready(&self) -> Result<(), NotReady> {
        self.replica.ready()
    }

    fn publishable(&self) -> Result<(), NotReady> {
        self.replica.publishable()
    }

    fn known(&self) -> Result<(), NotReady> {
        self.replica.known()
    }

    fn locate(&self, cursor: Cursor) -> Option<BoxFuture<'_, Result<(), NotReady>>> {
        Some(self.locate(cursor).boxed())
    }

    fn is_shared(&self) -> bool {
        true
    }

    fn figures(&self) -> Vec<Figure> {
        self.replica.figures.figures()
    }

    /// Opens the history, and has threads of its own write and follow it. When the future is dropped, what was taken is written
    /// or refused, and the threads end.
    fn run(self: Arc<Self>) -> BoxFuture<'static, Fatal> {
        let parts = self.parts.lock().take();
        async move {
            let Some(parts) = parts else { return Fatal::new("the backplane is run twice") };
            let (stop, config) = (Stop::default(), self.config.clone());
            let opening = {
                let stop = stop.clone();
                tokio::task::spawn_blocking(move || opening::open_or_begin(&config, stop))
            };
            let database = match opening.await {
                Ok(Ok(database)) => Arc::new(database),
                Ok(Err(error)) => return Fatal::new(error),
                Err(error) => return Fatal::new(error),
            };
            self.shelf.open(Arc::clone(&database));
            match Threads::start(parts, database, stop) {
                Ok(mut threads) => threads.ended().await,
                Err(error) => Fatal::new(error),
            }
        }
        .boxed()
    }
}

impl fmt::Debug for Sqlite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sqlite").field("directory", &self.config.data).finish_non_exhaustive()
    }
}
