//! The archive, as the hub knows it.

use std::fmt;
use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio::time::sleep;

use super::page;
use crate::database::Database;
use crate::replica::Replica;
use crate::trouble::Trouble;
use shared::hub::{Archive, ArchivePosition, Fetched};
use shared::topic::TopicFilter;

/// The most pages that are read at once. The others wait for their turn, first come, first served.
const MAX_READS: usize = 4;

/// The pause before another attempt.
const PAUSE: Duration = Duration::from_millis(100);

/// After so many attempts the failure is logged as a lasting one.
const LASTING: u32 = 20;

/// The messages of the file. No page is kept: SQLite and the system do that.
pub(crate) struct FileArchive {
    shelf: Arc<Shelf>,
    replica: Arc<Replica>,
}

/// The file once it is open, and the places of those who read it.
pub(crate) struct Shelf {
    database: OnceLock<Arc<Database>>,
    reads: Semaphore,
}

impl Shelf {
    pub(crate) fn new() -> Self {
        Self { database: OnceLock::new(), reads: Semaphore::new(MAX_READS) }
    }

    /// Has the file read from now on.
    pub(crate) fn open(&self, database: Arc<Database>) {
        // An error would mean that it is open already.
        let _ = self.database.set(database);
    }

    /// Reads on a thread that may be blocked.
    pub(crate) async fn read<R: Send + 'static>(
        &self,
        read: impl FnOnce(&Database) -> Result<R, Trouble> + Send + 'static,
    ) -> Result<R, Trouble> {
        let Some(database) = self.database.get().map(Arc::clone) else { return Err(Trouble::OtherHistory) };
        // An error would mean that the semaphore is closed, which it never is.
        let _place = self.reads.acquire().await.ok();
        // An error means that the runtime is shutting down, or that the thread has panicked.
        spawn_blocking(move || read(&database)).await.unwrap_or(Err(Trouble::Stopped))
    }
}

impl FileArchive {
    pub(crate) fn new(shelf: Arc<Shelf>, replica: Arc<Replica>) -> Self {
        Self { shelf, replica }
    }
}

impl Archive for FileArchive {
    fn begins_with_oldest(&self) -> bool {
        true
    }

    /// Returns a future that does nothing before it is polled.
    fn fetch(&self, filters: &[TopicFilter], from: ArchivePosition) -> BoxFuture<'static, Fetched> {
        let (shelf, filters) = (Arc::clone(&self.shelf), Arc::<[TopicFilter]>::from(filters));
        let replica = Arc::clone(&self.replica);
        async move {
            let mut failed = 0;
            loop {
                let (filters, began) = (Arc::clone(&filters), Instant::now());
                let read = move |database: &Database| {
                    database.read(|connection| page::read(connection, &filters, from))
                };
                match shelf.read(read).await {
                    Ok(fetched) => {
                        replica.figures.archive.times.add(began.elapsed());
                        return fetched;
                    }
                    Err(trouble) => {
                        failed += 1;
                        replica.figures.archive.failed.fetch_add(1, Ordering::Relaxed);
                        // Lasting trouble needs somebody to do something about it.
                        if failed == LASTING {
                            tracing::warn!(%trouble, "older messages cannot be read, and clients wait for them; still trying");
                        } else {
                            tracing::debug!(%trouble, "older messages cannot be read now");
                        }
                    }
                }
                sleep(PAUSE.mul_f64(1.0 + fastrand::f64())).await;
            }
        }
        .boxed()
    }
}

impl fmt::Debug for FileArchive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileArchive").finish_non_exhaustive()
    }
}
