//! The limit of deliveries that are recorded of one message.

use std::array;
use std::sync::atomic::{AtomicU64, Ordering};

/// The number of messages whose deliveries are counted at a time. Two that are as many offsets apart count in one place, so that the
/// deliveries of the older one are counted anew.
const PLACES: usize = 256;

/// The bits of a place that count. The others are those of the message's offset.
const COUNT_BITS: u32 = 8;

/// The deliveries of the latest messages, counted without a lock: all threads deliver a message at a time.
#[derive(Debug)]
pub(super) struct Deliveries {
    /// The most of one message.
    limit: u8,
    places: [AtomicU64; PLACES],
}

impl Deliveries {
    pub(super) fn new(limit: u8) -> Self {
        Self { limit, places: array::from_fn(|_| AtomicU64::new(0)) }
    }

    /// Counts a delivery of the message at an offset. Returns whether it is within the limit.
    pub(super) fn take(&self, offset: u64) -> bool {
        let place = &self.places[offset as usize % PLACES];
        let none = offset << COUNT_BITS;
        let counted = place.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |counted| {
            let counted = if counted >> COUNT_BITS == none >> COUNT_BITS { counted } else { none };
            (counted - none < u64::from(self.limit)).then_some(counted + 1)
        });
        counted.is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_deliveries_of_a_message_are_taken() {
        let deliveries = Deliveries::new(2);
        let taken = |offset| [(); 3].map(|()| deliveries.take(offset));
        assert_eq!([taken(1), taken(2)], [[true, true, false]; 2]);
        assert_eq!(taken(1), [false; 3]);
        assert_eq!(taken(1 + PLACES as u64), [true, true, false], "a later message at the same place");
        let most = Deliveries::new(u8::MAX);
        assert_eq!((0..300).filter(|_| most.take(7)).count(), 255);
        assert!(!Deliveries::new(0).take(1));
    }
}
