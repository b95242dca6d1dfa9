//! The memory for request bodies that are under way, which all clients share.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The bytes that are left for bodies.
#[derive(Debug)]
pub(crate) struct BodyBudget {
    left: AtomicUsize,
}

/// The part of the budget that one body has, given back when dropped.
#[derive(Debug)]
pub(crate) struct BodyReservation {
    budget: Arc<BodyBudget>,
    bytes: usize,
}

/// The budget has not so many bytes left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BudgetSpent;

impl BodyBudget {
    pub(crate) fn new(bytes: usize) -> Self {
        Self { left: AtomicUsize::new(bytes) }
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
    /// When the budget has not so much left. The reservation is as it was.
    pub(crate) fn grow_to(&mut self, bytes: usize) -> Result<(), BudgetSpent> {
        let more = bytes.saturating_sub(self.bytes);
        let take = |left: usize| left.checked_sub(more);
        // The counter guards no other memory.
        self.budget.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).map_err(|_| BudgetSpent)?;
        self.bytes += more;
        Ok(())
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
    fn reservations_take_no_more_than_the_budget_and_give_it_back() {
        let budget = Arc::new(BodyBudget::new(10));
        let (mut first, mut second) = (budget.reserve(), budget.reserve());
        assert_eq!(first.grow_to(6), Ok(()));
        assert_eq!(first.grow_to(4), Ok(()), "it is as large already");
        assert_eq!(second.grow_to(5), Err(BudgetSpent));
        assert_eq!(second.grow_to(4), Ok(()));
        drop(first);
        assert_eq!(second.grow_to(10), Ok(()));
    }
}
