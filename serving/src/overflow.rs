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

/// The places of connections beyond the limit, and the number of those that were refused.
#[derive(Debug)]
pub(crate) struct Overflow {
    limit: usize,
    guests: Mutex<Guests>,
    publishers: Arc<Semaphore>,
    refused: AtomicU64,
    has_refused: Notify,
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
    /// The connection was a probe or a publisher.
    is_served: AtomicBool,
    publisher: Mutex<Option<OwnedSemaphorePermit>>,
}

impl Overflow {
    pub(crate) fn new(limit: usize, publishers: usize) -> Self {
        Self {
            limit,
            guests: Mutex::default(),
            publishers: Arc::new(Semaphore::new(publishers.min(Semaphore::MAX_PERMITS))),
            refused: AtomicU64::new(0),
            has_refused: Notify::new(),
        }
    }

    /// Gives a connection a place. Where there is none, the oldest connection is ended.
    pub(crate) fn enter(self: &Arc<Self>) -> Arc<OverflowPlace> {
        let mut guests = self.guests.lock();
        let oldest = if guests.tasks.len() >= self.limit { guests.tasks.pop_first() } else { None };
        let arrival = guests.arrivals;
        guests.arrivals += 1;
        guests.tasks.insert(arrival, None);
        drop(guests);
        if let Some((_, Some(task))) = oldest {
            task.abort();
        }
        Arc::new(OverflowPlace {
            overflow: Arc::clone(self),
            arrival,
            is_served: AtomicBool::new(false),
            publisher: Mutex::default(),
        })
    }

    /// Waits until connections were refused, and returns their number since the last call.
    pub(crate) async fn refused(&self) -> u64 {
        self.has_refused.notified().await;
        self.refused.swap(0, Ordering::Relaxed)
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

    /// Has the connection served as a publisher, which need not give way. Returns whether there was a place for one.
    pub(crate) fn serve_publisher(&self) -> bool {
        let Ok(permit) = Arc::clone(&self.overflow.publishers).try_acquire_owned() else { return false };
        *self.publisher.lock() = Some(permit);
        self.overflow.guests.lock().tasks.remove(&self.arrival);
        self.is_served.store(true, Ordering::Relaxed);
        true
    }
}

impl Drop for OverflowPlace {
    fn drop(&mut self) {
        self.overflow.guests.lock().tasks.remove(&self.arrival);
        if !self.is_served.load(Ordering::Relaxed) {
            self.overflow.refused.fetch_add(1, Ordering::Relaxed);
            self.overflow.has_refused.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn those_who_were_not_served_count_as_refused() {
        let overflow = Arc::new(Overflow::new(2, 1));
        let places = [overflow.enter(), overflow.enter(), overflow.enter(), overflow.enter()];
        places[0].serve_probe();
        assert!(places[1].serve_publisher());
        assert!(!places[2].serve_publisher(), "there is one place for publishers");
        drop(places);
        assert_eq!(overflow.refused().await, 2);
        drop(overflow.enter());
        assert_eq!(overflow.refused().await, 1, "since the last call");
    }
}
