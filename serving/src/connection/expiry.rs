//! The end of a client's rights.

use std::time::Duration;

use tokio::time::Instant;

use super::event::Event;

/// The time before the end at which the session hears of it.
const NOTICE: Duration = Duration::from_secs(30);

/// The time after the end that a session has to deliver what is due.
const GRACE: Duration = Duration::from_millis(800);

/// The end of a client's rights, and how much of it was reported to the session.
#[derive(Debug)]
pub(super) struct Expiry {
    at: Instant,
    notice: Instant,
    reported: Reported,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reported {
    Nothing,
    Expiring,
    Expired,
    /// The session has written its end, and nothing but that may still be delivered.
    Ended,
}

/// The outcome of the passing of time.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Due {
    Nothing,
    Event(Event),
    /// The session has not ended in time.
    CutOff,
}

impl Expiry {
    /// The end of rights that a client came with. If there is little left, it is reported at once.
    pub(super) fn new(at: Instant) -> Self {
        // An earlier time than the clock can tell is here already.
        Self { at, notice: at.checked_sub(NOTICE).unwrap_or_else(Instant::now), reported: Reported::Nothing }
    }

    /// The end of rights that have just taken the place of others. If there is little left, it is reported when half of it has
    /// passed: one that asks for other rights after each report would otherwise never stop.
    pub(super) fn renewed(at: Instant) -> Self {
        let now = Instant::now();
        let half = now + at.saturating_duration_since(now) / 2;
        let Self { at, notice, reported } = Self::new(at);
        Self { at, notice: notice.max(half), reported }
    }

    pub(super) fn at(&self) -> Instant {
        self.at
    }

    /// The time at which the connection is cut off, whatever still waits for its client.
    pub(super) fn cut_off(&self) -> Instant {
        self.at + GRACE
    }

    /// The time of the next step; `None` if there is none.
    pub(super) fn next(&self) -> Option<Instant> {
        match self.reported {
            Reported::Nothing => Some(self.notice),
            Reported::Expiring => Some(self.at),
            Reported::Expired => Some(self.cut_off()),
            Reported::Ended => None,
        }
    }

    /// Takes the step that is due.
    pub(super) fn step(&mut self, now: Instant) -> Due {
        if self.next().is_none_or(|next| now < next) {
            return Due::Nothing;
        }
        match self.reported {
            Reported::Nothing => {
                self.reported = Reported::Expiring;
                Due::Event(Event::Expiring)
            }
            Reported::Expiring => {
                self.reported = Reported::Expired;
                Due::Event(Event::Expired)
            }
            Reported::Expired | Reported::Ended => Due::CutOff,
        }
    }

    /// The session has ended.
    pub(super) fn end(&mut self) {
        self.reported = Reported::Ended;
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_session_hears_of_it_twice_and_is_cut_off_then() {
        let mut expiry = Expiry::new(Instant::now() + Duration::from_secs(40));
        let seconds = Duration::from_secs;
        for (wait, due) in [
            (seconds(0), Due::Nothing),
            (seconds(10), Due::Event(Event::Expiring)),
            (seconds(29), Due::Nothing),
            (seconds(1), Due::Event(Event::Expired)),
            (Duration::from_millis(799), Due::Nothing),
            (Duration::from_millis(1), Due::CutOff),
        ] {
            advance(wait).await;
            assert_eq!(expiry.step(Instant::now()), due);
        }
        expiry.end();
        assert_eq!((expiry.next(), expiry.step(Instant::now())), (None, Due::Nothing));
    }

    #[tokio::test(start_paused = true)]
    async fn after_a_renewal_the_notice_does_not_come_at_once() {
        let seconds = Duration::from_secs;
        for (left, notice) in
            [(seconds(5), Duration::from_millis(2_500)), (seconds(50), seconds(25)), (seconds(90), seconds(60))]
        {
            let now = Instant::now();
            assert_eq!(Expiry::renewed(now + left).next(), Some(now + notice));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn with_little_left_the_notice_comes_at_once() {
        let mut expiry = Expiry::new(Instant::now());
        let steps = [(); 3].map(|()| expiry.step(Instant::now()));
        assert_eq!(steps, [Due::Event(Event::Expiring), Due::Event(Event::Expired), Due::Nothing]);
    }
}
