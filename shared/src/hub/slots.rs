//! Waking the subscribers of a topic or pattern.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll};

// Imported from `super`, because a test puts a model checker's types in their place.
use super::sync::{AtomicBool, AtomicWaker, Mutex};

/// The slots of all subscribers of a topic or pattern, each with a place for a waker.
///
/// The list is copy-on-write: waking walks a snapshot without a lock, and a subscriber that joins or leaves meanwhile copies
/// the list.
#[derive(Default)]
pub(crate) struct Slots {
    list: Mutex<Arc<Vec<Arc<Slot>>>>,
    /// A caller is about to wake the subscribers.
    claimed: AtomicBool,
}

#[derive(Default)]
struct Slot {
    waker: AtomicWaker,
    /// The index of the slot in the list. Written and read under the list's lock.
    index: AtomicUsize,
    /// The offset up to which the subscriber has read.
    position: AtomicU64,
}

/// A place among the slots, given back when dropped.
pub(crate) struct Seat {
    slots: Arc<Slots>,
    slot: Arc<Slot>,
}

impl Slots {
    pub(crate) fn is_empty(&self) -> bool {
        self.list.lock().is_empty()
    }

    pub(crate) fn join(self: &Arc<Self>) -> Seat {
        let mut list = self.list.lock();
        // It has no news until it is noted how far it has read.
        let slot = Slot { position: AtomicU64::new(u64::MAX), index: AtomicUsize::new(list.len()), ..Slot::default() };
        let slot = Arc::new(slot);
        Arc::make_mut(&mut list).push(Arc::clone(&slot));
        drop(list);
        Seat { slots: Arc::clone(self), slot }
    }

    /// Returns whether the caller is to wake the subscribers. If not, another caller is about to and has not begun: it
    /// wakes them for this caller's news too.
    pub(crate) fn claim(&self) -> bool {
        !self.claimed.swap(true, Ordering::AcqRel)
    }

    /// The number of subscribers.
    pub(crate) fn len(&self) -> usize {
        self.list.lock().len()
    }

    /// The position of the subscriber that is farthest behind.
    pub(crate) fn farthest_behind(&self) -> Option<u64> {
        let snapshot = Arc::clone(&self.list.lock());
        snapshot.iter().map(|slot| slot.position.load(Ordering::Relaxed)).min()
    }

    /// Wakes every subscriber that has a waker registered, after a claim. No lock is held while waking.
    pub(crate) fn wake_all(&self) {
        // Before the first is woken: news that comes from now on needs a claim of its own. A swap and not a store: the news
        // of the callers whose claim failed has to happen before the wake-ups.
        self.claimed.swap(false, Ordering::AcqRel);
        let snapshot = Arc::clone(&self.list.lock());
        for slot in snapshot.iter() {
            slot.waker.wake();
        }
    }
}

impl Seat {
    /// Notes the offset up to which the subscriber has read.
    pub(crate) fn note(&self, position: u64) {
        self.slot.position.store(position, Ordering::Relaxed);
    }
}

/// Polls for news. If there is none, registers the task with all seats.
///
/// Callers that bring news make it visible first and wake the slots then.
pub(crate) fn poll_news<'a>(
    seats: impl IntoIterator<Item = &'a Seat>,
    cx: &mut Context<'_>,
    has_news: impl Fn() -> bool,
) -> Poll<()> {
    if has_news() {
        return Poll::Ready(());
    }
    seats.into_iter().for_each(|seat| seat.slot.waker.register(cx.waker()));
    // Checked again, because news may have come before the waker was in place.
    if has_news() { Poll::Ready(()) } else { Poll::Pending }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut guard = self.slots.list.lock();
        let list = Arc::make_mut(&mut guard);
        let index = self.slot.index.load(Ordering::Relaxed);
        list.swap_remove(index);
        if let Some(moved) = list.get(index) {
            moved.index.store(index, Ordering::Relaxed);
        }
        if list.len() < list.capacity() / 4 {
            list.shrink_to(list.len() * 2);
        }
    }
}
