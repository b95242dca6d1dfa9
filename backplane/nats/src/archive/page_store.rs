//! The pages that are kept or being fetched.

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::{Semaphore, SemaphorePermit, watch};
use tokio::time::{Instant, sleep, timeout};

use super::cache::{Filters, PageCache};
use super::charge::Charge;
use super::fetch::{Extent, Fetch, FetchError};
use super::page::Page;
use crate::replica::Replica;
use shared::cursor::Cursor;
use shared::hub::Fetched;

/// The most memory that kept pages and fetches under way occupy, in bytes: a page of the full size for each fetch under way,
/// and half as many for clients that read on in pages that were fetched before. The process needs as much again, since
/// allocations are rounded up, and each client holds the batch that is being written to it.
const MAX_BYTES: usize = 12 << 20;

/// The most fetches under way. Those of clients that all come back at once wait for each other, first come, first served.
const MAX_FETCHES: usize = 16;

/// The time for which a fetched page is kept for the clients that wait for it, whatever else is fetched. They take it as soon as they
/// are scheduled, so each fetch gets its clients further, however many other positions pages are fetched for. A client that
/// is blocked meanwhile must not keep others from fetching for longer.
const HAND_OVER: Duration = Duration::from_secs(1);

/// The pause before another attempt.
const PAUSE: Duration = Duration::from_millis(300);

/// After so many attempts the failure is logged as a lasting one: an election of a leader takes less.
const LASTING: u32 = 20;

/// A page by its topics and the position after which it begins.
pub(super) type Key = (Filters, Cursor);

/// The pages that are kept or being fetched.
pub(super) struct PageStore {
    replica: Arc<Replica>,
    cache: Mutex<PageCache>,
    /// The fetches under way. Their tasks own the senders.
    fetches: Mutex<HashMap<Key, Weak<watch::Sender<Option<Outcome>>>>>,
    permits: Semaphore,
    /// A message larger than a page is fetched when no other such message is.
    oversize: Semaphore,
}

/// The outcome of a fetch, for the clients that wait for it. They take the page from the cache, so that a client that is
/// blocked at the moment does not hold it.
#[derive(Debug, Clone, Copy)]
enum Outcome {
    Kept,
    Gone,
}

/// A fetch that has succeeded.
struct Done<'a> {
    found: Found,
    charge: Charge<'a>,
    _permits: [Option<SemaphorePermit<'a>>; 2],
}

enum Found {
    Page(Page),
    /// Another fetch has brought what comes after the position.
    Kept,
    /// Something after the position may be gone.
    Gone,
}

impl PageStore {
    pub(super) fn new(replica: Arc<Replica>) -> Self {
        Self {
            replica,
            cache: Mutex::new(PageCache::new(MAX_BYTES)),
            fetches: Mutex::default(),
            permits: Semaphore::new(MAX_FETCHES),
            oversize: Semaphore::new(1),
        }
    }

    /// Returns what comes after a position: from a kept page, or by a fetch that others may wait for too.
    pub(super) async fn read(self: Arc<Self>, key: Key) -> Fetched {
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
        if let Some(fetch) = fetches.get(key).and_then(Weak::upgrade) {
            return Err(fetch.subscribe());
        }
        let (sender, outcome) = watch::channel(None);
        let sender = Arc::new(sender);
        fetches.insert(key.clone(), Arc::downgrade(&sender));
        tokio::spawn(Arc::clone(self).fetch(key.clone(), sender));
        Err(outcome)
    }

    /// Fetches a page, and hands it to the clients that wait for it. A task of its own does this: clients that are blocked
    /// would keep it from going on, and its permit from others.
    async fn fetch(self: Arc<Self>, key: Key, outcome: Arc<watch::Sender<Option<Outcome>>>) {
        let done = tokio::select! {
            done = self.until_fetched(&key) => done,
            () = self.until_abandoned(&key, &outcome) => return,
        };
        let Done { found, charge, _permits } = done;
        let fetched = matches!(found, Found::Page(_));
        outcome.send_replace(Some(self.finish(&key, found, charge)));
        if fetched {
            let _ = timeout(HAND_OVER, outcome.closed()).await;
            self.cache.lock().unpin(&key.0, key.1);
        }
    }

    /// Keeps the page that was fetched, in the same step in which the fetch is no longer under way.
    fn finish(&self, key: &Key, found: Found, charge: Charge<'_>) -> Outcome {
        let mut fetches = self.fetches.lock();
        fetches.remove(key);
        drop(charge);
        match found {
            Found::Page(page) => {
                self.cache.lock().insert_pinned(&key.0, key.1.epoch, page);
                Outcome::Kept
            }
            Found::Kept => Outcome::Kept,
            Found::Gone => Outcome::Gone,
        }
    }

    /// Tries to fetch a page until that succeeds.
    async fn until_fetched(&self, (filters, after): &Key) -> Done<'_> {
        let (mut extent, mut oversize, mut failed) = (Extent::Page, None, 0);
        loop {
            self.replica.link.until_up().await;
            let (began, reads) = (Instant::now(), &self.replica.figures.archive);
            // An error would mean that the semaphore is closed, which it never is.
            let permit = self.permits.acquire().await.ok();
            let mut charge = Charge::new(&self.cache);
            if self.cache.lock().has(filters, *after) {
                return Done { found: Found::Kept, charge, _permits: [permit, oversize] };
            }
            match Fetch::new(&self.replica, filters, *after, extent).run(&mut charge).await {
                Ok(page) => {
                    reads.times.add(began.elapsed());
                    let found = page.map_or(Found::Gone, Found::Page);
                    return Done { found, charge, _permits: [permit, oversize] };
                }
                Err(FetchError::Oversize) => {
                    // Others can fetch while this waits for its turn.
                    drop(permit);
                    oversize = self.oversize.acquire().await.ok();
                    extent = Extent::OneMessage;
                    continue;
                }
                Err(error) => {
                    failed += 1;
                    reads.failed.fetch_add(1, Ordering::Relaxed);
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

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use shared::cursor::Epoch;
    use tokio::task::yield_now;

    use super::*;
    use crate::replica::tests::replica;

    /// Waits until a number of fetches is under way. Without a connection to NATS, each lasts as long as a client waits.
    async fn until_under_way(store: &PageStore, fetches: usize) {
        let waiting = async {
            while store.fetches.lock().len() != fetches {
                yield_now().await;
            }
        };
        timeout(Duration::from_secs(20), waiting).await.unwrap_or_else(|_| panic!("there are never {fetches} fetches"));
    }

    #[tokio::test]
    async fn clients_share_a_fetch_which_ends_with_the_last_of_them() {
        let store = Arc::new(PageStore::new(replica()));
        let filters = Filters::from(["a".parse().unwrap()]);
        let key = |offset| (Arc::clone(&filters), Cursor { epoch: Epoch::new(1), offset });
        let read = |offset| Arc::clone(&store).read(key(offset)).boxed();
        let mut clients = [read(1), read(1), read(2)];
        for client in &mut clients {
            assert!(client.now_or_never().is_none());
        }
        until_under_way(&store, 2).await;
        let [one, same, other] = clients;
        drop(one);
        drop(other);
        until_under_way(&store, 1).await;
        let mut again = read(1);
        drop(same);
        assert!((&mut again).now_or_never().is_none());
        until_under_way(&store, 1).await;
        drop(again);
        until_under_way(&store, 0).await;
    }
}
