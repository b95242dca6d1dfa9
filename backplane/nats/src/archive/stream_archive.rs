//! The archive, in which clients share fetches and pages.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use tokio::sync::{Semaphore, SemaphorePermit, watch};
use tokio::time::{sleep, timeout};

use super::cache::{Filters, PageCache};
use super::charge::Charge;
use super::fetch::{Extent, Fetch, FetchError};
use super::page::Page;
use crate::replica::Replica;
use shared::cursor::Cursor;
use shared::hub::{Archive, Fetched};
use shared::topic::TopicFilter;

/// The most memory that kept pages and fetches under way occupy, in bytes: a page of the full size for each fetch under way,
/// so that pages that are used soon again are not evicted by those that are just being fetched.
const MAX_BYTES: usize = 16 << 20;

/// The most fetches under way. Those of clients that all come back at once wait for each other, first come, first served.
const MAX_FETCHES: usize = 16;

/// How long a fetched page is kept for the clients that wait for it, whatever else is fetched. They take it as soon as they
/// are scheduled, so that each fetch gets its clients further, however many other positions pages are fetched for. A client
/// that is blocked meanwhile must not keep others from fetching.
const HAND_OVER: Duration = Duration::from_secs(1);

/// The pause before another attempt.
const PAUSE: Duration = Duration::from_millis(300);

/// After so many attempts the failure is logged as a lasting one: an election of a leader takes less.
const LASTING: u32 = 20;

/// The older messages of the stream.
pub(crate) struct StreamArchive {
    pages: Arc<Pages>,
}

/// A page by its topics and the position after which it begins.
type Key = (Filters, Cursor);

/// The pages that are kept or being fetched.
struct Pages {
    replica: Arc<Replica>,
    cache: Mutex<PageCache>,
    fetches: Mutex<HashMap<Key, Arc<watch::Sender<Option<Outcome>>>>>,
    permits: Semaphore,
    /// A message larger than a page is fetched when no other such message is.
    oversize: Semaphore,
}

/// The outcome of a fetch, for the clients that wait for it. They find the page in the cache, so that a client that is
/// blocked at the moment does not hold it.
#[derive(Debug, Clone, Copy)]
enum Outcome {
    Kept,
    Gone,
}

impl StreamArchive {
    pub(crate) fn new(replica: Arc<Replica>) -> Self {
        let pages = Pages {
            replica,
            cache: Mutex::new(PageCache::new(MAX_BYTES)),
            fetches: Mutex::default(),
            permits: Semaphore::new(MAX_FETCHES),
            oversize: Semaphore::new(1),
        };
        Self { pages: Arc::new(pages) }
    }
}

impl Archive for StreamArchive {
    /// Returns a future that does nothing before it is polled, so that a client that is blocked does not hold a page.
    fn fetch(&self, filters: &[TopicFilter], after: Cursor) -> BoxFuture<'static, Fetched> {
        let (pages, filters) = (Arc::clone(&self.pages), Filters::from(filters));
        async move { pages.read((filters, after)).await }.boxed()
    }
}

impl fmt::Debug for StreamArchive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamArchive").finish_non_exhaustive()
    }
}

impl Pages {
    /// Returns what comes after a position: from a kept page, or by a fetch that others may wait for too.
    async fn read(self: Arc<Self>, key: Key) -> Fetched {
        loop {
            let mut outcome = match self.find_or_fetch(&key) {
                Ok(fetched) => return fetched,
                Err(outcome) => outcome,
            };
            let done = outcome.wait_for(Option::is_some).await.map(|outcome| *outcome);
            if let Ok(Some(Outcome::Gone)) = done {
                return Fetched::Gone;
            }
            // The page is pinned for as long as this waits for it, unless that took too long.
            if let Some(fetched) = self.cache.lock().get(&key.0, key.1) {
                return fetched;
            }
        }
    }

    /// Finds a page, or else the fetch of one, which is begun if there is none.
    fn find_or_fetch(self: &Arc<Self>, key: &Key) -> Result<Fetched, watch::Receiver<Option<Outcome>>> {
        let mut fetches = self.fetches.lock();
        if let Some(fetched) = self.cache.lock().get(&key.0, key.1) {
            return Ok(fetched);
        }
        if let Some(fetch) = fetches.get(key) {
            return Err(fetch.subscribe());
        }
        let (sender, outcome) = watch::channel(None);
        let sender = Arc::new(sender);
        fetches.insert(key.clone(), Arc::clone(&sender));
        tokio::spawn(Arc::clone(self).fetch(key.clone(), sender));
        Err(outcome)
    }

    /// Fetches a page, and hands it to the clients that wait for it. A task of its own does this: clients that are blocked
    /// would keep it from going on, and its permit from others.
    async fn fetch(self: Arc<Self>, key: Key, outcome: Arc<watch::Sender<Option<Outcome>>>) {
        let fetched = tokio::select! {
            fetched = self.until_fetched(&key) => fetched,
            () = self.until_abandoned(&key, &outcome) => return,
        };
        let Done { page, charge, _permits } = fetched;
        {
            let mut fetches = self.fetches.lock();
            fetches.remove(&key);
            drop(charge);
            let Some(page) = page else {
                outcome.send_replace(Some(Outcome::Gone));
                return;
            };
            self.cache.lock().insert_pinned(&key.0, key.1.epoch, page);
        }
        outcome.send_replace(Some(Outcome::Kept));
        let _ = timeout(HAND_OVER, outcome.closed()).await;
        self.cache.lock().unpin(&key.0, key.1);
    }

    /// Tries to fetch a page until that succeeds.
    async fn until_fetched(&self, (filters, after): &Key) -> Done<'_> {
        let (mut extent, mut oversize, mut failed) = (Extent::Page, None, 0);
        loop {
            self.replica.link.until_up().await;
            // An error would mean that the semaphore is closed, which it never is.
            let permit = self.permits.acquire().await.ok();
            let mut charge = Charge::new(&self.cache);
            match Fetch::new(&self.replica, filters, *after, extent).run(&mut charge).await {
                Ok(page) => return Done { page, charge, _permits: [permit, oversize] },
                Err(FetchError::Oversize) => {
                    // Others can fetch while this waits for its turn.
                    drop(permit);
                    oversize = self.oversize.acquire().await.ok();
                    extent = Extent::OneMessage;
                    continue;
                }
                Err(error) => {
                    failed += 1;
                    // Lasting trouble needs somebody to do something about it.
                    if failed == LASTING {
                        tracing::warn!(%error, "older messages cannot be read, and clients wait for them; still trying");
                    } else {
                        tracing::debug!(%error, "older messages cannot be read now");
                    }
                }
            }
            drop((permit, charge));
            sleep(PAUSE.mul_f64(1.0 + fastrand::f64())).await;
        }
    }

    /// Waits until no client waits for a fetch, and forgets that fetch.
    async fn until_abandoned(&self, key: &Key, outcome: &watch::Sender<Option<Outcome>>) {
        loop {
            outcome.closed().await;
            let mut fetches = self.fetches.lock();
            if outcome.receiver_count() == 0 {
                fetches.remove(key);
                return;
            }
        }
    }
}

/// A fetch that has succeeded.
struct Done<'a> {
    /// `None` where something after the position may be gone.
    page: Option<Page>,
    charge: Charge<'a>,
    _permits: [Option<SemaphorePermit<'a>>; 2],
}
