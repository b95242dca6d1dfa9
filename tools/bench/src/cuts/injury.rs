//! Injuries of connections, decided from a seed.

use std::time::Duration;

use fastrand::Rng;

/// An injury of a connection.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Injury {
    /// Both sides are closed: FIN.
    Close,
    /// Both sides are reset: RST.
    Reset,
    /// Nothing passes in either direction, and neither side notices. `None`: for good.
    BlackHole(Option<Duration>),
    /// Bytes pass slowly for a while.
    Throttle { bytes_per_second: u32, lasting: Duration },
}

/// The trigger of an injury. The first of these to be reached counts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Trigger {
    /// So many bytes have passed to the client; the rest of the frame or chunk does not.
    pub(crate) down: u64,
    /// So many bytes have passed to the server.
    pub(crate) up: u64,
    pub(crate) after: Duration,
}

impl Trigger {
    pub(crate) const NEVER: Self = Self { down: u64::MAX, up: u64::MAX, after: Duration::MAX };

    pub(crate) fn after(after: Duration) -> Self {
        Self { after, ..Self::NEVER }
    }
}

/// The sequence of injuries of one connection. The same seed and connection give the same sequence.
#[derive(Debug)]
pub(crate) struct Decisions {
    rng: Rng,
    calm: Duration,
}

/// The bytes per second that a client is assumed to receive, so that injuries by the byte are about as frequent as those
/// by the clock.
const USUAL_RATE: f64 = 3000.0;

impl Decisions {
    /// The sequence for the n-th connection of a client. `calm` is the mean time between injuries.
    pub(crate) fn new(seed: u64, client: usize, connection: u64, calm: Duration) -> Self {
        let mut rng = Rng::with_seed(seed);
        // Generators with similar seeds begin alike, so each seed is drawn from another generator.
        let seed = rng.u64(..) ^ (client as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ connection.rotate_left(32);
        let mut rng = Rng::with_seed(seed);
        rng.u64(..);
        Self { rng, calm }
    }

    pub(crate) fn next(&mut self) -> (Trigger, Injury) {
        (self.trigger(), self.injury())
    }

    fn trigger(&mut self) -> Trigger {
        let exponential = -(1.0 - self.rng.f64()).ln();
        let trigger = Trigger::after(self.calm.mul_f64(exponential.min(5.0)));
        let bytes = (2.0 * self.calm.as_secs_f64() * USUAL_RATE) as u64;
        let patience = Trigger::after(self.calm * 4);
        match self.rng.u32(..100) {
            0..40 => trigger,
            40..80 => Trigger { down: self.rng.u64(1..=bytes.max(1)), ..patience },
            // In the handshake, in the head of an answer, in the first frames.
            80..90 => Trigger { down: self.rng.u64(1..=600), ..patience },
            _ => Trigger { up: self.rng.u64(1..=600), ..patience },
        }
    }

    fn injury(&mut self) -> Injury {
        match self.rng.u32(..100) {
            0..28 => Injury::Close,
            28..56 => Injury::Reset,
            56..66 => Injury::BlackHole(Some(Duration::from_millis(self.rng.u64(200..4000)))),
            66..76 => Injury::BlackHole(None),
            _ => Injury::Throttle {
                bytes_per_second: self.rng.u32(1024..8192),
                lasting: Duration::from_millis(self.rng.u64(500..4000)),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first_ten(seed: u64, client: usize, connection: u64) -> Vec<(Trigger, Injury)> {
        let mut decisions = Decisions::new(seed, client, connection, Duration::from_secs(5));
        (0..10).map(|_| decisions.next()).collect()
    }

    #[test]
    fn a_seed_decides_everything() {
        assert_eq!(first_ten(1, 2, 3), first_ten(1, 2, 3));
        for other in [first_ten(2, 2, 3), first_ten(1, 3, 3), first_ten(1, 2, 4)] {
            assert_ne!(first_ten(1, 2, 3), other);
        }
    }

    #[test]
    fn every_kind_of_injury_happens_by_the_byte_and_by_the_clock() {
        let mut seen = [[false; 5]; 3];
        for connection in 0..200 {
            for (trigger, injury) in first_ten(7, 0, connection) {
                let by = match trigger {
                    Trigger { down, .. } if down < u64::MAX => 0,
                    Trigger { up, .. } if up < u64::MAX => 1,
                    _ => 2,
                };
                let kind = match injury {
                    Injury::Close => 0,
                    Injury::Reset => 1,
                    Injury::BlackHole(None) => 2,
                    Injury::BlackHole(Some(_)) => 3,
                    Injury::Throttle { .. } => 4,
                };
                seen[by][kind] = true;
            }
        }
        assert_eq!(seen, [[true; 5]; 3]);
    }
}
