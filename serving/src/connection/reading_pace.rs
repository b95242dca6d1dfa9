//! The pace at which a connection of HTTP/2 is read.
//!
//! Its frames need not be part of a request: pings, settings and the like are answered or dealt with as they come, and a client can send them
//! without end. So other tasks have their turn after some reads, and a client whose bytes are of no use is read slowly.

use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

/// The number of reads of one connection per turn. A client that never stops sending takes no longer turns than one that sends much, and
/// others do not wait for it.
pub(super) const READS: usize = 4;

/// The bytes of no use that a client has per second.
const RATE: usize = 200 * 1024;

/// The bytes that may wait for their use, such as those of bodies that are not taken yet.
const WAITING: usize = 256 * 1024;

/// The bytes of a frame beside its payload (RFC 9113, section 4.1).
const FRAME: usize = 9;

/// The bytes of requests and their bodies that were taken, and that the pace has not counted yet.
#[derive(Debug, Default)]
pub(super) struct Uses(AtomicUsize);

impl Uses {
    /// Notes that a frame with so many bytes was of use.
    pub(super) fn note(&self, bytes: usize) {
        self.0.fetch_add(FRAME + bytes, Ordering::Relaxed);
    }

    fn take(&self) -> usize {
        self.0.swap(0, Ordering::Relaxed)
    }
}

/// The pace of one connection.
#[derive(Debug)]
pub(super) struct ReadingPace {
    uses: Arc<Uses>,
    turn: Turn,
    /// The bytes read that the last look at the uses has not seen.
    read: usize,
    /// The time at which the client has made up for its bytes of no use, of which some may wait.
    even_at: Instant,
}

#[derive(Debug)]
enum Turn {
    Begins,
    Resting(Pin<Box<Sleep>>),
    /// So many reads are left.
    Reading(usize),
    /// Others are to have theirs.
    Over,
}

impl ReadingPace {
    pub(super) fn new(uses: Arc<Uses>) -> Self {
        Self { uses, turn: Turn::Begins, read: 0, even_at: Instant::now() }
    }

    /// Waits until the connection may be read.
    pub(super) fn poll_turn(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match &self.turn {
            Turn::Reading(_) => return Poll::Ready(()),
            Turn::Over => {
                self.turn = Turn::Begins;
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            Turn::Begins | Turn::Resting(_) => {}
        }
        while let Some(until) = self.rests_until() {
            match &mut self.turn {
                Turn::Resting(rest) => rest.as_mut().reset(until),
                turn => *turn = Turn::Resting(Box::pin(sleep_until(until))),
            }
            if let Turn::Resting(rest) = &mut self.turn {
                ready!(rest.as_mut().poll(cx));
            }
        }
        self.turn = Turn::Reading(READS);
        Poll::Ready(())
    }

    /// The end of the rest that the client has to take, if it has to. A use ends it sooner, and what is taken wakes the connection's task.
    fn rests_until(&mut self) -> Option<Instant> {
        let now = Instant::now();
        let (read, used) = (time_of(mem::take(&mut self.read)), time_of(self.uses.take()));
        self.even_at = (self.even_at.max(now) + read).checked_sub(used).unwrap_or(now);
        let until = self.even_at.checked_sub(time_of(WAITING))?;
        (until > now).then_some(until)
    }

    /// Counts a read: the number of its bytes. `None` where there was nothing to read, which ends the turn too.
    pub(super) fn count(&mut self, read: Option<usize>) {
        self.turn = match (&self.turn, read) {
            (Turn::Reading(left @ 2..), Some(_)) => Turn::Reading(left - 1),
            (_, Some(_)) => Turn::Over,
            (_, None) => Turn::Begins,
        };
        self.read += read.unwrap_or_default();
    }
}

/// The time in which a client may send so many bytes of no use.
fn time_of(bytes: usize) -> Duration {
    Duration::from_secs_f64(bytes as f64 / RATE as f64)
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use futures_util::FutureExt;
    use tokio::time::advance;

    use super::*;

    const READ: usize = 8 * 1024;

    /// Reads without end for a minute, where what is read is of use or not. Returns the bytes that were read and the turns.
    async fn read(is_of_use: bool) -> (usize, usize) {
        let uses = Arc::<Uses>::default();
        let (mut pace, mut bytes, mut turns) = (ReadingPace::new(Arc::clone(&uses)), 0, 0);
        let begin = Instant::now();
        while begin.elapsed() < Duration::from_secs(60) && turns < 100_000 {
            match poll_fn(|cx| pace.poll_turn(cx)).now_or_never() {
                Some(()) => {
                    pace.count(Some(READ));
                    bytes += READ;
                    if is_of_use {
                        uses.note(READ - FRAME);
                    }
                }
                None => {
                    turns += 1;
                    if matches!(pace.turn, Turn::Resting(_)) {
                        poll_fn(|cx| pace.poll_turn(cx)).await;
                    }
                }
            }
        }
        (bytes, turns)
    }

    #[tokio::test(start_paused = true)]
    async fn bytes_of_no_use_come_slowly() {
        let (bytes, _) = read(false).await;
        assert!((60 * RATE..=60 * RATE + WAITING + READS * READ).contains(&bytes), "{bytes}");
    }

    #[tokio::test(start_paused = true)]
    async fn others_have_their_turn_between_bytes_of_use_and_nobody_rests() {
        let begin = Instant::now();
        let (bytes, turns) = read(true).await;
        assert_eq!((bytes, begin.elapsed()), (turns * READS * READ, Duration::ZERO));
    }

    #[tokio::test(start_paused = true)]
    async fn a_rest_ends_with_a_use() {
        let uses = Arc::<Uses>::default();
        let mut pace = ReadingPace::new(Arc::clone(&uses));
        pace.count(Some(2 * WAITING));
        pace.count(None);
        assert!(poll_fn(|cx| pace.poll_turn(cx)).now_or_never().is_none());
        uses.note(WAITING / 2);
        assert!(poll_fn(|cx| pace.poll_turn(cx)).now_or_never().is_none(), "a little of it is not enough");
        uses.note(WAITING);
        assert!(poll_fn(|cx| pace.poll_turn(cx)).now_or_never().is_some());
    }

    /// Window updates and answers to pings belong to no request.
    #[tokio::test(start_paused = true)]
    async fn a_client_that_sends_now_and_then_never_rests() {
        let mut pace = ReadingPace::new(Arc::default());
        for _ in 0..1000 {
            for read in [Some(RATE), None] {
                assert!(poll_fn(|cx| pace.poll_turn(cx)).now_or_never().is_some());
                pace.count(read);
            }
            advance(Duration::from_secs(1)).await;
        }
    }
}
