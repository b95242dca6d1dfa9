//! The pauses before the next attempt.

use std::time::Duration;

use tokio::time::Instant;

/// The longest first pause.
const FIRST: Duration = Duration::from_millis(500);

/// The longest pause that is not asked for by the service.
const LONGEST: Duration = Duration::from_secs(30);

/// The longest pause that is taken from the service: nobody means more, and more is not to be counted with.
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

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
        let since = *self.since.get_or_insert_with(Instant::now);
        let left = self.limit.map_or(Duration::MAX, |limit| limit.saturating_sub(since.elapsed()));
        self.pause_within(asked, left)
    }

    /// Returns the pause before the next attempt as [`Self::pause`] does, where so much time is left.
    pub(crate) fn pause_within(&mut self, asked: Option<Duration>, left: Duration) -> Option<Duration> {
        let asked = asked.unwrap_or_default().min(DAY);
        // All clients with the same time would come back together, and one without a time must not hammer.
        let ceiling = FIRST.saturating_mul(2u32.saturating_pow(self.attempts)).max(asked / 5).min(LONGEST);
        self.attempts = self.attempts.saturating_add(1);
        let pause = asked + ceiling.mul_f64(fastrand::f64());
        (!left.is_zero() && asked <= left).then_some(pause.min(left))
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
    fn a_service_that_asks_for_no_pause_is_not_hammered() {
        let mut retry = Retry::new(None);
        let pauses: Vec<_> = (0..200).map(|_| retry.pause(Some(Duration::ZERO)).unwrap()).collect();
        assert!(pauses.iter().sum::<Duration>() > Duration::from_secs(600), "{pauses:?}");
        assert!(pauses.iter().all(|pause| *pause <= LONGEST), "{pauses:?}");
    }

    #[test]
    fn a_service_that_asks_for_too_much_is_asked_again_after_a_day() {
        for asked in [DAY, DAY * 2, Duration::MAX] {
            let pause = Retry::new(None).pause(Some(asked)).unwrap();
            assert!((DAY..=DAY + LONGEST).contains(&pause), "{pause:?}");
        }
        assert_eq!(Retry::new(Some(DAY / 2)).pause(Some(Duration::MAX)), None);
    }

    #[test]
    fn it_is_given_up_after_a_time() {
        assert_eq!(Retry::new(Some(Duration::ZERO)).pause(None), None);
    }
}
