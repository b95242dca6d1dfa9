//! The messages that each client received: it has to receive every message of every lane once and in order.

use std::collections::HashMap;

use serde::Serialize;

use super::stamp::Stamp;

/// The faults of a measurement.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Faults {
    /// Messages that a client never received, summed over clients.
    pub missing: u64,
    /// Messages that a client received again.
    pub repeated: u64,
    /// Messages that a client received after one that was published later.
    pub out_of_order: u64,
}

impl Faults {
    /// Returns whether there were none.
    pub fn none(&self) -> bool {
        *self == Self::default()
    }
}

/// The messages that clients have received.
#[derive(Debug)]
pub(crate) struct Ledger {
    lanes: usize,
    /// The number that a client expects next, for each client and lane.
    next: Vec<u32>,
    /// The messages that were skipped, by their index in `next`. Empty as long as nothing goes wrong.
    holes: HashMap<usize, Vec<u32>>,
    faults: Faults,
}

impl Ledger {
    pub(crate) fn new(clients: usize, lanes: usize) -> Self {
        Self { lanes, next: vec![1; clients * lanes], holes: HashMap::new(), faults: Faults::default() }
    }

    /// Records a message. Returns whether the client receives it for the first time.
    pub(crate) fn received(&mut self, client: usize, stamp: Stamp) -> bool {
        let lane = usize::from(stamp.lane);
        if lane >= self.lanes {
            return false;
        }
        let place = client * self.lanes + lane;
        let next = &mut self.next[place];
        if stamp.number == *next {
            *next += 1;
            return true;
        }
        if stamp.number > *next {
            self.holes.entry(place).or_default().extend(*next..stamp.number);
            *next = stamp.number + 1;
            return true;
        }
        if let Some(holes) = self.holes.get_mut(&place)
            && let Some(at) = holes.iter().position(|&hole| hole == stamp.number)
        {
            holes.swap_remove(at);
            self.faults.out_of_order += 1;
            return true;
        }
        self.faults.repeated += 1;
        false
    }

    /// Returns the faults, given the number of the last message of each lane.
    pub(crate) fn faults(&self, last: &[u32]) -> Faults {
        let behind = self.next.iter().enumerate().map(|(place, &next)| u64::from(last[place % self.lanes] + 1 - next));
        let holes = self.holes.values().map(|holes| holes.len() as u64);
        Faults { missing: behind.sum::<u64>() + holes.sum::<u64>(), ..self.faults }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ledger(received: &[(usize, u16, u32)]) -> Ledger {
        let mut ledger = Ledger::new(2, 2);
        for &(client, lane, number) in received {
            ledger.received(client, Stamp { lane, number, begun: 0 });
        }
        ledger
    }

    #[test]
    fn everything_once_and_in_order_is_no_fault() {
        let ledger = ledger(&[(0, 0, 1), (0, 1, 1), (1, 1, 1), (0, 0, 2), (1, 0, 1), (1, 0, 2)]);
        assert_eq!(ledger.faults(&[2, 1]), Faults::default());
    }

    #[test]
    fn what_a_client_did_not_get_is_missing() {
        // Client 0: a hole, and an end that did not come. Client 1: nothing at all.
        let ledger = ledger(&[(0, 0, 1), (0, 0, 4), (0, 1, 1)]);
        assert_eq!(ledger.faults(&[5, 1]), Faults { missing: 3 + 6, ..Faults::default() });
    }

    #[test]
    fn what_comes_again_is_repeated() {
        let ledger = ledger(&[(0, 0, 1), (0, 0, 1), (1, 0, 1), (0, 0, 2), (0, 0, 1), (1, 0, 2)]);
        assert_eq!(ledger.faults(&[2, 0]), Faults { repeated: 2, ..Faults::default() });
    }

    #[test]
    fn what_comes_late_is_out_of_order_and_not_missing() {
        let mut ledger = ledger(&[(0, 0, 1), (0, 0, 4), (0, 0, 2), (1, 0, 1), (1, 0, 2), (1, 0, 3), (1, 0, 4)]);
        assert_eq!(ledger.faults(&[4, 0]), Faults { missing: 1, out_of_order: 1, repeated: 0 });
        assert!(ledger.received(0, Stamp { lane: 0, number: 3, begun: 0 }));
        assert!(!ledger.received(0, Stamp { lane: 0, number: 3, begun: 0 }));
        assert_eq!(ledger.faults(&[4, 0]), Faults { missing: 0, out_of_order: 2, repeated: 1 });
    }

    #[test]
    fn a_stamp_of_no_lane_is_not_counted() {
        assert!(!ledger(&[]).received(0, Stamp { lane: 2, number: 1, begun: 0 }));
    }
}
