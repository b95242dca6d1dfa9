//! The pauses before the next attempt.

use std::time::Duration;

use tokio::time::Instant;

/// The longest first pause.
const FIRST: Duration = Duration::from_millis(500);

/// The longest pause that is not asked for by the service.
const LONGEST: Duration = Duration::from_secs(30);

/// The attempts since something last went well.
///
/// Pauses are random, up to a time that doubles with each attempt ("full jitter"), so that many clients that were cut off together do
/// not come back together.
#[derive(Debug)]
pub(crate) struct Retry {
    attempts: u32,
    since: Option<Instant>,
    /// The time after which it is given up. `None` for never.
    limit: Option<Duration>,
}

impl Retry {
    pub(crate) fn new(limit: Option<Duration>) -> Self {
        Self { attempts: 0, since: None, limit }
    }

    /// Something went well.
    pub(crate) fn reset(&mut self) {
        self.attempts = 0;
        self.since = None;
    }

    /// Returns the pause before the next attempt, which is not shorter than the service asks for. `None` when it is to be given up.
    pub(crate) fn pause(&mut self, asked: Option<Duration>) -> Option<Duration> {
        let ceiling = FIRST.saturating_mul(2u32.saturating_pow(self.attempts)).min(LONGEST);
        self.attempts += 1;
        let mut pause = ceiling.mul_f64(fastrand::f64());
        if let Some(asked) = asked {
            // All that were told the same time would come back together.
            pause = asked + asked.min(LONGEST).mul_f64(fastrand::f64() * 0.2);
        }
        let since = *self.since.get_or_insert_with(Instant::now);
        match self.limit {
            Some(limit) => {
                let left = limit.checked_sub(since.elapsed()).filter(|left| !left.is_zero())?;
                match asked {
                    Some(asked) if asked > left => None,
                    _ => Some(pause.min(left)),
                }
            }
            None => Some(pause),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_are_random() {
        let first_three = || {
            let mut retry = Retry::new(None);
            [(); 3].map(|()| retry.pause(None).unwrap())
        };
        let many: Vec<_> = (0..200).map(|_| first_three()).collect();
        for (attempt, ceiling) in [(0, 500), (1, 1000), (2, 2000)] {
            let longest = many.iter().map(|pauses| pauses[attempt]).max().unwrap();
            assert!(longest <= Duration::from_millis(ceiling), "{longest:?}");
            assert!(longest > Duration::from_millis(ceiling / 2), "{longest:?}");
        }
    }

    #[test]
    fn a_pause_is_not_shorter_than_the_service_asks_for() {
        let mut retry = Retry::new(Some(Duration::from_secs(60)));
        let asked = Duration::from_secs(7);
        let pause = retry.pause(Some(asked)).unwrap();
        assert!((asked..asked * 2).contains(&pause), "{pause:?}");
        assert_eq!(retry.pause(Some(Duration::from_secs(61))), None);
    }

    #[test]
    fn it_is_given_up_after_a_time() {
        assert_eq!(Retry::new(Some(Duration::ZERO)).pause(None), None);
    }
}
