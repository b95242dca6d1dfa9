//! Connections beyond `--max-connections`, each of which stays only until it is answered.
//!
//! The oldest one gives way to a new one, so that clients which say nothing keep nobody out, and a probe is answered
//! however many are refused.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use parking_lot::Mutex;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::task::AbortHandle;

use crate::metrics::Rejections;

/// The places of connections beyond the limit, and the number of those that were refused.
#[derive(Debug)]
pub(crate) struct Overflow {
    limit: usize,
    guests: Mutex<Guests>,
    publishers: Arc<Semaphore>,
    /// Those for whom there was no room.
    refused: Refused,
    /// Those whose addresses had enough.
    refused_by_address: Refused,
    rejected: Rejections,
}

/// Connections that were refused.
#[derive(Debug, Default)]
pub(crate) struct Refused {
    count: AtomicU64,
    more: Notify,
}

/// The connections that may have to give way, by their order of arrival.
#[derive(Debug, Default)]
struct Guests {
    arrivals: u64,
    tasks: BTreeMap<u64, Option<AbortHandle>>,
}

/// The place of a connection beyond the limit, given back when dropped.
#[derive(Debug)]
pub(crate) struct OverflowPlace {
    overflow: Arc<Overflow>,
    arrival: u64,
    /// The reason is not that there is no room, but that the client's address has enough connections.
    by_address: bool,
    /// The connection was a probe or a publisher.
    is_served: AtomicBool,
    publisher: Mutex<Option<OwnedSemaphorePermit>>,
}

impl Overflow {
    pub(crate) fn new(limit: usize, publishers: usize, rejected: Rejections) -> Self {
        Self {
            limit,
            guests: Mutex::default(),
            publishers: Arc::new(Semaphore::new(publishers.min(Semaphore::MAX_PERMITS))),
            refused: Refused::default(),
            refused_by_address: Refused::default(),
            rejected,
        }
    }

    /// Gives a connection a place, beyond `--max-connections` or `by_address` beyond those of its address. Where there is none, the
    /// oldest connection is ended.
    pub(crate) fn enter(self: &Arc<Self>, by_address: bool) -> Arc<OverflowPlace> {
        let mut guests = self.guests.lock();
        let oldest = if guests.tasks.len() >= self.limit { guests.tasks.pop_first() } else { None };
        let arrival = guests.arrivals;
        guests.arrivals += 1;
        guests.tasks.insert(arrival, None);
        drop(guests);
        if let Some((_, Some(task))) = oldest {
            task.abort();
            self.rejected.count_closed();
        }
        Arc::new(OverflowPlace {
            overflow: Arc::clone(self),
            arrival,
            by_address,
            is_served: AtomicBool::new(false),
            publisher: Mutex::default(),
        })
    }

    /// The connections for which there was no room.
    pub(crate) fn refused(&self) -> &Refused {
        &self.refused
    }

    /// The connections whose addresses had enough.
    pub(crate) fn refused_by_address(&self) -> &Refused {
        &self.refused_by_address
    }
}

impl Refused {
    /// Counts a connection.
    pub(crate) fn add(&self) {
        self.count.fetch_add(1, Ordering::Relaxed);
        self.more.notify_one();
    }

    /// Waits until there are some, and returns their number since the last call.
    pub(crate) async fn take(&self) -> u64 {
        self.more.notified().await;
        self.count.swap(0, Ordering::Relaxed)
    }
}

impl OverflowPlace {
    /// Names the task to end when the connection has to give way.
    pub(crate) fn set_task(&self, task: AbortHandle) {
        if let Some(entry) = self.overflow.guests.lock().tasks.get_mut(&self.arrival) {
            *entry = Some(task);
        }
    }

    /// Has the connection served as a probe.
    pub(crate) fn serve_probe(&self) {
        self.is_served.store(true, Ordering::Relaxed);
    }

    /// Has the connection served as a publisher, which need not give way. Returns whether there was a place for one; there is none for
    /// an address that has enough connections.
    pub(crate) fn serve_publisher(&self) -> bool {
        if self.by_address {
            return false;
        }
        let mut publisher = self.publisher.lock();
        if publisher.is_some() {
            return true;
        }
        let Ok(permit) = Arc::clone(&self.overflow.publishers).try_acquire_owned() else { return false };
        *publisher = Some(permit);
        drop(publisher);
        self.overflow.guests.lock().tasks.remove(&self.arrival);
        self.is_served.store(true, Ordering::Relaxed);
        true
    }
}

impl Drop for OverflowPlace {
    fn drop(&mut self) {
        self.overflow.guests.lock().tasks.remove(&self.arrival);
        if !self.is_served.load(Ordering::Relaxed) {
            let overflow = &self.overflow;
            let refused = if self.by_address { &overflow.refused_by_address } else { &overflow.refused };
            refused.add();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn those_who_were_not_served_count_as_refused() {
        let overflow = Arc::new(Overflow::new(2, 1, Rejections::default()));
        let places = [(); 4].map(|()| overflow.enter(false));
        places[0].serve_probe();
        assert!(places[1].serve_publisher() && places[1].serve_publisher(), "it has its place");
        assert!(!places[2].serve_publisher(), "there is one place for publishers");
        drop(places);
        assert_eq!(overflow.refused().take().await, 2);
        drop(overflow.enter(false));
        assert_eq!(overflow.refused().take().await, 1, "since the last call");
        let place = overflow.enter(true);
        assert!(!place.serve_publisher(), "though there is a place");
        drop(place);
        assert_eq!(overflow.refused_by_address().take().await, 1);
    }
}
