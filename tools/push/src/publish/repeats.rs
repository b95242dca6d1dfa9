//! The time for which a publication is repeated.

use std::time::{Duration, SystemTime};

use reqwest::StatusCode;
use tokio::time::Instant;

use crate::connection::{ANSWER, Retry, Trouble};

/// The time after the start of an attempt that is in doubt by which the last repeat has ended, with its answer. A service knows the key
/// for two minutes, and a repeat after that would be another message. The rest is for what is still on its way then.
const KNOWN: Duration = Duration::from_secs(110);

/// A time, by the clock that nobody sets and by the one that goes on while a machine sleeps.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    steady: Instant,
    wall: SystemTime,
}

impl Moment {
    pub(super) fn now() -> Self {
        Self { steady: Instant::now(), wall: SystemTime::now() }
    }

    /// Returns the time since then, by the clock that says more.
    fn elapsed(self) -> Duration {
        // A wall clock that was set back says nothing.
        self.steady.elapsed().max(self.wall.elapsed().unwrap_or_default())
    }
}

/// The repeats of one publication.
#[derive(Debug)]
pub(super) struct Repeats {
    limit: Duration,
    retry: Retry,
    /// The start of the first attempt that may have been stored without an answer.
    doubt: Option<Moment>,
}

impl Repeats {
    /// Repeats for so long, which is shorter than a service knows a key.
    pub(super) fn new(limit: Duration) -> Self {
        Self { limit, retry: Retry::new(Some(limit)), doubt: None }
    }

    /// Returns whether an attempt may have been stored.
    pub(super) fn is_in_doubt(&self) -> bool {
        self.doubt.is_some()
    }

    /// Returns the time that an attempt may take, its connection and its answer included. `None` when there may be no other one.
    pub(super) fn patience(&self) -> Option<Duration> {
        match self.doubt {
            Some(doubt) => {
                KNOWN.checked_sub(doubt.elapsed()).filter(|left| !left.is_zero()).map(|left| left.min(ANSWER))
            }
            None => Some(ANSWER),
        }
    }

    /// Returns the pause after an attempt that failed and began at a time. `None` when there is to be no other one.
    pub(super) fn pause(&mut self, trouble: &Trouble, began: Moment) -> Option<Duration> {
        if trouble.may_have_been_done() {
            self.doubt.get_or_insert(began);
        }
        match (trouble, self.doubt) {
            (Trouble::Refused { .. } | Trouble::End(_), _) => None,
            // Nothing was stored, and the service says exactly when it will be: there is no need to give up.
            (Trouble::Busy { retry_after: Some(asked), .. }, None) if is_exact(trouble) => {
                self.retry.reset();
                Retry::new(None).pause(Some(*asked))
            }
            (_, None) => self.retry.pause(trouble.retry_after()),
            (_, Some(doubt)) => {
                let left = self.limit.saturating_sub(doubt.elapsed());
                self.retry.pause_within(trouble.retry_after(), left)
            }
        }
    }
}

/// Returns whether the service knows when it will take the publication. The time of every other answer is a guess.
fn is_exact(trouble: &Trouble) -> bool {
    matches!(trouble, Trouble::Busy { status: StatusCode::TOO_MANY_REQUESTS, error: Some(code), .. }
        if code == "too_fast" || code == "too_many_keys")
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn cut() -> Trouble {
        Trouble::Cut(String::new())
    }

    fn too_many(error: Option<&str>) -> Trouble {
        let (status, error) = (StatusCode::TOO_MANY_REQUESTS, error.map(str::to_owned));
        Trouble::Busy { status, error, message: String::new(), retry_after: Some(Duration::from_secs(61)) }
    }

    /// Returns the moments before which so much time has gone by, each by one of the clocks.
    fn ago(time: Duration) -> [Moment; 2] {
        let now = Moment::now();
        // A machine that has just started has no such time on its steady clock.
        let steady = now.steady.checked_sub(time).map_or(now, |steady| Moment { steady, ..now });
        [steady, Moment { wall: now.wall - time, ..now }]
    }

    #[test]
    fn an_exact_wait_alone_has_no_limit() {
        for (error, waits) in [
            (Some("too_fast"), true),
            (Some("too_many_keys"), true),
            (Some("too_many_topics"), false),
            (Some("full"), false),
            (None, false),
        ] {
            let pause = Repeats::new(MINUTE).pause(&too_many(error), Moment::now());
            assert_eq!(pause.is_some(), waits, "{error:?}: {pause:?}");
        }
        let mut doubted = Repeats::new(MINUTE);
        assert!(doubted.pause(&cut(), Moment::now()).is_some());
        assert_eq!(doubted.pause(&too_many(Some("too_fast")), Moment::now()), None);
    }

    #[test]
    fn the_limit_counts_from_the_start_of_the_first_attempt_in_doubt() {
        for began in ago(Duration::from_secs(59)) {
            let pause = Repeats::new(MINUTE).pause(&cut(), began).unwrap();
            assert!(pause <= Duration::from_secs(1), "{pause:?}");
        }
        let began = ago(MINUTE)[1];
        let mut repeats = Repeats::new(MINUTE);
        assert_eq!(repeats.pause(&cut(), began), None);
        assert!(repeats.is_in_doubt());
        // A later failure does not begin it anew.
        assert_eq!(repeats.pause(&cut(), Moment::now()), None);
        // An attempt that was not stored is no beginning.
        let mut unreached = Repeats::new(MINUTE);
        assert!(unreached.pause(&Trouble::Unreachable(String::new()), began).is_some());
        assert!(!unreached.is_in_doubt());
    }

    #[test]
    fn an_attempt_ends_before_the_key_is_forgotten() {
        let in_doubt_since = |doubt| Repeats { doubt: Some(doubt), ..Repeats::new(MINUTE) };
        for began in ago(Duration::from_secs(90)) {
            let patience = in_doubt_since(began).patience().unwrap();
            assert!(patience <= ANSWER, "{patience:?}");
        }
        let patience = in_doubt_since(ago(Duration::from_secs(90))[1]).patience().unwrap();
        assert!((Duration::from_secs(10)..=Duration::from_secs(20)).contains(&patience), "{patience:?}");
        assert_eq!(in_doubt_since(ago(KNOWN)[1]).patience(), None);
        assert_eq!(Repeats::new(MINUTE).patience(), Some(ANSWER));
    }

    #[test]
    fn a_wall_clock_that_was_set_back_is_not_believed() {
        let now = Moment::now();
        let ahead = Moment { wall: now.wall + MINUTE, ..now };
        assert!(ahead.elapsed() < MINUTE);
    }
}
