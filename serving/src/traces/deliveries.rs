//! The limit of deliveries that are recorded of one message.

use std::array;
use std::sync::atomic::{AtomicU64, Ordering};

use shared::cursor::Cursor;

/// The number of messages whose deliveries are counted at a time. Of two that are as many offsets apart, the newer one is counted, and the
/// older one has had its deliveries.
const PLACES: usize = 256;

/// The bits of a place that count. The others are those of the message's offset.
const COUNT_BITS: u32 = 8;

/// The deliveries of the latest messages, counted without a lock: all threads deliver a message at a time.
#[derive(Debug)]
pub(super) struct Deliveries {
    /// The most of one message.
    limit: u8,
    /// The epoch of the messages.
    epoch: AtomicU64,
    places: [AtomicU64; PLACES],
}

impl Deliveries {
    pub(super) fn new(limit: u8) -> Self {
        Self { limit, epoch: AtomicU64::new(0), places: array::from_fn(|_| AtomicU64::new(0)) }
    }

    /// Counts a delivery of a message. Returns whether it is within the limit.
    pub(super) fn take(&self, Cursor { epoch, offset }: Cursor) -> bool {
        // The offsets of another history begin anew.
        if self.epoch.swap(epoch.number(), Ordering::Relaxed) != epoch.number() {
            self.places.iter().for_each(|place| place.store(0, Ordering::Relaxed));
        }
        let place = &self.places[offset as usize % PLACES];
        let none = offset << COUNT_BITS;
        let counted = place.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |counted| {
            let counted = counted.max(none);
            (counted - none < u64::from(self.limit)).then_some(counted + 1)
        });
        counted.is_ok()
    }
}

#[cfg(test)]
mod tests {
    use shared::cursor::Epoch;

    use super::*;

    #[test]
    fn the_first_deliveries_of_a_message_are_taken() {
        let deliveries = Deliveries::new(2);
        let at = |epoch, offset| Cursor { epoch: Epoch::new(epoch), offset };
        let taken = |offset| [(); 3].map(|()| deliveries.take(at(7, offset)));
        assert_eq!([taken(1), taken(2)], [[true, true, false]; 2]);
        assert_eq!(taken(1), [false; 3]);
        assert_eq!(taken(1 + PLACES as u64), [true, true, false], "a later message at the same place");
        assert_eq!(taken(1), [false; 3], "the earlier one has had its deliveries");
        assert!(deliveries.take(at(8, 1)), "another history begins anew");
        let most = Deliveries::new(u8::MAX);
        assert_eq!((0..300).filter(|_| most.take(at(7, 7))).count(), 255);
        assert!(!Deliveries::new(0).take(at(7, 1)));
    }

    #[test]
    fn many_clients_that_read_many_messages_are_within_the_limit() {
        let deliveries = Deliveries::new(10);
        let messages = 1..=4 * PLACES as u64;
        let read = |_: u32| {
            messages.clone().filter(|offset| deliveries.take(Cursor { epoch: Epoch::new(7), offset: *offset }))
        };
        assert!((0..100).flat_map(read).count() <= 10 * messages.clone().count());
    }
}
