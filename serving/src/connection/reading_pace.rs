//! The pace at which a connection of HTTP/2 is read.
//!
//! Its frames need not be part of a request: pings, settings and the like are answered or dealt with as they come, and a client can send them
//! without end. So other tasks have their turn after some reads, and a client whose bytes were of no use rests before it is read again.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::{Sleep, sleep};

/// The number of reads per turn, each of some KiB.
const READS: usize = 4;

/// The bytes that may be of no use without a rest.
const LITTLE: usize = 2 * 1024;

/// The rest for so many bytes: a client has 200 KB of them per second, and 330 KB where the longest rest is shorter than they ask for.
const REST: Duration = Duration::from_millis(10);

/// The longest rest: a request that comes after such bytes waits no longer.
const LONGEST_REST: Duration = Duration::from_millis(200);

/// The pace of one connection.
#[derive(Debug, Default)]
pub(super) struct ReadingPace {
    turn: Turn,
    /// The bytes that have come since there was a use.
    unused: usize,
}

#[derive(Debug, Default)]
enum Turn {
    #[default]
    Begins,
    Resting(Pin<Box<Sleep>>),
    /// So many reads are left.
    Reading(usize),
    /// Others are to have theirs.
    Over,
}

impl ReadingPace {
    /// Waits until the connection may be read. `take_use` says whether something was of use since it was last asked: a request has begun, or a
    /// part of its body was taken.
    pub(super) fn poll_turn(&mut self, cx: &mut Context<'_>, take_use: impl FnOnce() -> bool) -> Poll<()> {
        if matches!(self.turn, Turn::Begins) {
            if take_use() {
                self.unused = 0;
            }
            self.turn = match self.unused {
                0..=LITTLE => Turn::Reading(READS),
                unused => Turn::Resting(Box::pin(sleep(REST.mul_f64(unused as f64 / LITTLE as f64).min(LONGEST_REST)))),
            };
        }
        match &mut self.turn {
            Turn::Resting(rest) => {
                ready!(rest.as_mut().poll(cx));
                *self = Self { turn: Turn::Reading(READS), unused: 0 };
            }
            Turn::Over => {
                self.turn = Turn::Begins;
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            Turn::Begins | Turn::Reading(_) => {}
        }
        Poll::Ready(())
    }

    /// Counts a read: the number of its bytes, or nothing where there was nothing to read, which ends the turn too.
    pub(super) fn count(&mut self, read: Poll<usize>) {
        self.turn = match (&self.turn, read) {
            (Turn::Reading(left @ 2..), Poll::Ready(_)) => Turn::Reading(left - 1),
            (_, Poll::Ready(_)) => Turn::Over,
            (_, Poll::Pending) => Turn::Begins,
        };
        if let Poll::Ready(bytes) = read {
            self.unused += bytes;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use futures_util::FutureExt;
    use tokio::time::Instant;

    use super::*;

    const READ: usize = 8 * 1024;

    /// Reads without end for a minute, where each turn is of use or not. Returns the bytes that were read and the turns.
    async fn read(is_of_use: bool) -> (usize, usize) {
        let (mut pace, mut bytes, mut turns) = (ReadingPace::default(), 0, 0);
        let begin = Instant::now();
        while begin.elapsed() < Duration::from_secs(60) && turns < 100_000 {
            match poll_fn(|cx| pace.poll_turn(cx, || is_of_use)).now_or_never() {
                Some(()) => {
                    pace.count(Poll::Ready(READ));
                    bytes += READ;
                }
                None => {
                    turns += 1;
                    if matches!(pace.turn, Turn::Resting(_)) {
                        poll_fn(|cx| pace.poll_turn(cx, || is_of_use)).await;
                    }
                }
            }
        }
        (bytes, turns)
    }

    #[tokio::test(start_paused = true)]
    async fn bytes_of_no_use_come_slowly() {
        let (bytes, _) = read(false).await;
        assert!((100_000..260_000).contains(&(bytes / 60)), "{} bytes per second", bytes / 60);
    }

    #[tokio::test(start_paused = true)]
    async fn others_have_their_turn_between_bytes_of_use_and_nobody_rests() {
        let begin = Instant::now();
        let (bytes, turns) = read(true).await;
        assert_eq!((bytes, begin.elapsed()), (turns * READS * READ, Duration::ZERO));
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_sends_now_and_then_never_rests() {
        let mut pace = ReadingPace::default();
        for _ in 0..1000 {
            let turn = poll_fn(|cx| pace.poll_turn(cx, || true));
            assert!(turn.now_or_never().is_some());
            pace.count(Poll::Ready(LITTLE));
            poll_fn(|cx| pace.poll_turn(cx, || true)).await;
            pace.count(Poll::Pending);
        }
    }
}
