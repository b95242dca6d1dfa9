//! The memory for what clients are sending, which all of them share: request bodies, and WebSocket messages that have begun.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A body may take this part of what the others leave: the larger a body, the sooner it is refused, so that slow uploads
/// cannot keep out publishers of small messages.
const SHARE: usize = 4;

/// The bytes that are left for bodies.
#[derive(Debug)]
pub(crate) struct BodyBudget {
    total: usize,
    left: AtomicUsize,
}

/// The part of the budget that one body has, given back when dropped.
#[derive(Debug)]
pub struct BodyReservation {
    budget: Arc<BodyBudget>,
    bytes: usize,
}

/// The budget has not so many bytes left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BudgetSpent;

impl BodyBudget {
    pub(crate) fn new(bytes: usize) -> Self {
        Self { total: bytes, left: AtomicUsize::new(bytes) }
    }

    /// Makes a reservation of nothing, which may grow.
    pub(crate) fn reserve(self: &Arc<Self>) -> BodyReservation {
        BodyReservation { budget: Arc::clone(self), bytes: 0 }
    }
}

impl BodyReservation {
    /// Has the reservation be at least so large.
    ///
    /// # Errors
    /// When that is more than its share of what other bodies leave. The reservation is as it was.
    pub fn grow_to(&mut self, bytes: usize) -> Result<(), BudgetSpent> {
        if bytes <= self.bytes {
            return Ok(());
        }
        let more = bytes - self.bytes;
        let take = |left: usize| {
            let left_by_others = left + self.bytes;
            let share = if left_by_others == self.budget.total { left_by_others } else { left_by_others / SHARE };
            (bytes <= share).then(|| left - more)
        };
        // The counter guards no other memory.
        self.budget.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).map_err(|_| BudgetSpent)?;
        self.bytes = bytes;
        Ok(())
    }
}

impl BodyReservation {
    /// Has the reservation be at most so large.
    pub fn shrink_to(&mut self, bytes: usize) {
        let less = self.bytes.saturating_sub(bytes);
        self.budget.left.fetch_add(less, Ordering::Relaxed);
        self.bytes -= less;
    }
}

impl Drop for BodyReservation {
    fn drop(&mut self) {
        self.budget.left.fetch_add(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reservation_takes_its_share_of_what_others_leave_and_gives_it_back() {
        let budget = Arc::new(BodyBudget::new(100));
        let (mut first, mut second) = (budget.reserve(), budget.reserve());
        assert_eq!(first.grow_to(101), Err(BudgetSpent));
        assert_eq!(first.grow_to(60), Ok(()), "there is no other");
        assert_eq!(first.grow_to(40), Ok(()), "it is as large already");
        assert_eq!(second.grow_to(11), Err(BudgetSpent));
        assert_eq!(second.grow_to(10), Ok(()), "a quarter of 40");
        assert_eq!(first.grow_to(60), Ok(()), "it is as large already");
        first.shrink_to(20);
        assert_eq!(second.grow_to(20), Ok(()), "a quarter of 80");
        assert_eq!(first.grow_to(20), Ok(()), "it is as large already");
        assert_eq!(first.grow_to(70), Err(BudgetSpent), "there is another");
        drop(first);
        assert_eq!(second.grow_to(100), Ok(()));
    }

    #[test]
    fn however_many_large_bodies_are_under_way_small_ones_find_room() {
        let budget = Arc::new(BodyBudget::new(64 << 20));
        let mut held = Vec::new();
        for bytes in [1 << 20, 64 << 10, 4096] {
            for _ in 0..1000 {
                let mut reservation = budget.reserve();
                if reservation.grow_to(bytes).is_ok() {
                    held.push(reservation);
                }
            }
        }
        assert_eq!(budget.reserve().grow_to(1024), Ok(()));
    }
}
