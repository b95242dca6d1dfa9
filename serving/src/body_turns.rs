//! The turns of large bodies: one is parsed and appended at a time, and all of them together take a part of one core at most:
//! `--large-body-share`.

use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::task::yield_now;
use tokio::time::{Instant, sleep_until};

/// A body of so many bytes waits for its turn.
const LARGE_BODY: usize = 16 << 10;

/// An array of so many bytes waits for its turn too: there may be a message in each 13 of them.
const LARGE_ARRAY: usize = 2 << 10;

/// A body is followed by a rest, longer the smaller the share is. So much of it need not be taken at once: the clock of the runtime is not finer, and
/// who publishes a large body now and then does not wait at all.
const CREDIT: Duration = Duration::from_millis(5);

/// Gives large bodies their turns.
#[derive(Debug)]
pub(crate) struct BodyTurns {
    one_at_a_time: Semaphore,
    /// The part of one core, more than 0 and at most 1.
    share: f64,
    /// The end of the rest that the turns until now ask for.
    rested_at: Mutex<Instant>,
}

/// The turn of a body, which ends when this is dropped. All of it has to be work, and no waiting.
#[derive(Debug)]
pub(crate) struct BodyTurn<'a> {
    turns: &'a BodyTurns,
    began: Instant,
    _permit: SemaphorePermit<'a>,
}

impl BodyTurns {
    /// The turns of bodies that take a part of one core, more than 0 and at most 1, which lets them follow each other without a rest.
    pub(crate) fn new(share: f64) -> Self {
        Self { one_at_a_time: Semaphore::new(1), share, rested_at: Mutex::new(Instant::now()) }
    }

    /// Waits for the turn of a body; `None` if it needs none. Others have theirs between two large bodies, so that what they publish and
    /// follow is not kept waiting by one client's arrays.
    pub(crate) async fn take(&self, bytes: usize, is_array: bool) -> Option<BodyTurn<'_>> {
        if bytes < if is_array { LARGE_ARRAY } else { LARGE_BODY } {
            return None;
        }
        // An error would mean that the semaphore is closed, which it never is.
        let permit = self.one_at_a_time.acquire().await.ok()?;
        let rested_at = *self.rested_at.lock();
        if rested_at > Instant::now() + CREDIT {
            sleep_until(rested_at).await;
        } else {
            yield_now().await;
        }
        Some(BodyTurn { turns: self, began: Instant::now(), _permit: permit })
    }
}

impl Drop for BodyTurn<'_> {
    fn drop(&mut self) {
        let now = Instant::now();
        let mut rested_at = self.turns.rested_at.lock();
        *rested_at = (*rested_at).max(self.began) + (now - self.began).div_f64(self.turns.share);
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    const TURN: Duration = Duration::from_millis(2);

    /// Takes a turn that works for some time. Returns the time for which it waited.
    async fn work(turns: &BodyTurns, length: Duration) -> Duration {
        let asked = Instant::now();
        let turn = turns.take(LARGE_BODY, false).await;
        let waited = asked.elapsed();
        advance(length).await;
        drop(turn);
        waited
    }

    #[tokio::test(start_paused = true)]
    async fn bodies_without_a_pause_take_their_share_of_the_time() {
        for (share, times) in [(0.5, 2), (0.25, 4), (1.0, 1)] {
            let (turns, began) = (BodyTurns::new(share), Instant::now());
            for _ in 0..100 {
                work(&turns, TURN).await;
            }
            let (elapsed, work) = (began.elapsed(), 100 * TURN);
            let slack = times * CREDIT;
            assert!(elapsed + slack > times * work && elapsed < times * work + CREDIT, "{share}: {elapsed:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_now_and_then_does_not_wait() {
        let turns = BodyTurns::new(0.5);
        for _ in 0..100 {
            assert_eq!(work(&turns, TURN).await, Duration::ZERO);
            advance(TURN).await;
        }
        let long = Duration::from_millis(50);
        assert_eq!(work(&turns, long).await, Duration::ZERO);
        assert!(work(&turns, TURN).await >= long - CREDIT, "the rest after a long one is long");
    }

    #[tokio::test(start_paused = true)]
    async fn small_bodies_need_no_turn() {
        let turns = BodyTurns::new(0.5);
        assert!(turns.take(LARGE_ARRAY, true).await.is_some());
        let _turn = turns.take(LARGE_BODY, false).await;
        for (bytes, is_array) in [(LARGE_BODY - 1, false), (LARGE_ARRAY - 1, true)] {
            assert!(turns.take(bytes, is_array).await.is_none());
        }
    }
}
