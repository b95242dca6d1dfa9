//! Questions to all clients at once: who reads slowly, and who is to be ended.
//!
//! Nothing is kept of clients for this. A question wakes all of their tasks, and each answers for its client.

use std::cmp::Reverse;
use std::mem;
use std::num::ParseIntError;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use serde::Serialize;
use tokio::sync::Notify;
use tokio::time::timeout;

/// The longest time that all answers are waited for.
const PATIENCE: Duration = Duration::from_secs(1);

/// The number of clients that are listed one by one.
const SLOWEST: usize = 50;

/// The upper bounds of the ages that clients are counted by, in seconds.
pub(crate) const AGES: [u64; 6] = [10, 60, 600, 3600, 86_400, u64::MAX];

/// The questions to all clients, one at a time.
#[derive(Debug, Default)]
pub(crate) struct Inquiries {
    /// The number of the latest question. A client that has answered another one has still to answer.
    number: AtomicU32,
    latest: Mutex<Option<Arc<Inquiry>>>,
    /// The number of the latest client.
    last_stay: AtomicU64,
    turn: tokio::sync::Mutex<()>,
}

/// A question, and its answers.
#[derive(Debug)]
pub(crate) struct Inquiry {
    /// The client that is to end.
    end: Option<ClientId>,
    /// The number of clients that are expected to answer.
    expected: usize,
    answers: Mutex<Answers>,
    complete: Notify,
}

/// The answers to a question.
#[derive(Debug, Default)]
pub(crate) struct Answers {
    /// The number of clients that have answered.
    pub(crate) clients: usize,
    /// The number of them by age: up to each of [`AGES`].
    pub(crate) ages: [usize; AGES.len()],
    /// Those that are farthest behind, in no order.
    pub(crate) slowest: Vec<SlowClient>,
    /// The client that was to end has ended.
    pub(crate) has_ended: bool,
}

/// The number of a client for as long as it stays, which no other one has: the time at which it began to stay, in microseconds since the
/// service was started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) struct ClientId(pub(crate) u64);

/// The slowness of a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Slowness {
    /// The messages in memory that it has not read.
    pub(crate) lag: usize,
    /// The seconds for which it has taken nothing of what was written.
    pub(crate) stalled: u64,
    /// The seconds for which it has stayed.
    pub(crate) age: u64,
}

/// A client that may be a slow one.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct SlowClient {
    pub(crate) client: ClientId,
    pub(crate) address: String,
    pub(crate) subject: Option<String>,
    pub(crate) topics: Vec<String>,
    pub(crate) cursor: Option<String>,
    pub(crate) lag_messages: usize,
    pub(crate) stalled_seconds: u64,
    pub(crate) connected_seconds: u64,
    #[serde(skip)]
    slowness: Slowness,
}

impl Inquiries {
    /// The number of the latest question.
    pub(crate) fn number(&self) -> u32 {
        self.number.load(Ordering::Acquire)
    }

    /// Returns the number of a client that begins to stay at a time in microseconds, not 0: that time, or the next one that no other has.
    pub(crate) fn number_stay(&self, micros: u64) -> u64 {
        let next = |last: u64| micros.max(last + 1);
        let last = self.last_stay.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| Some(next(last)));
        // It never fails.
        last.map_or(micros, next)
    }

    /// The question that is being answered.
    pub(crate) fn latest(&self) -> Option<Arc<Inquiry>> {
        self.latest.lock().clone()
    }

    /// Asks the clients, after `wake` has woken all of their tasks, and returns what they have answered in time. A client to which HTTP/2
    /// has to send other things first does not answer.
    pub(crate) async fn ask(&self, expected: usize, end: Option<ClientId>, wake: impl FnOnce()) -> Answers {
        let _turn = self.turn.lock().await;
        let (answers, complete) = (Mutex::default(), Notify::new());
        let inquiry = Arc::new(Inquiry { end, expected, answers, complete });
        *self.latest.lock() = Some(Arc::clone(&inquiry));
        self.number.fetch_add(1, Ordering::Release);
        wake();
        if expected > 0 {
            // Some may have gone meanwhile, and do not answer.
            let _ = timeout(PATIENCE, inquiry.complete.notified()).await;
        }
        *self.latest.lock() = None;
        let mut answers = mem::take(&mut *inquiry.answers.lock());
        answers.slowest.sort_unstable_by_key(|client| Reverse(client.slowness));
        answers
    }
}

impl Inquiry {
    /// Counts a client, and has it described by `describe` if it is among the slowest so far. Returns whether it is to end.
    pub(crate) fn answer(&self, client: ClientId, slowness: Slowness, describe: impl FnOnce() -> Described) -> bool {
        let is_to_end = self.end == Some(client);
        let mut answers = self.answers.lock();
        answers.clients += 1;
        let age = AGES.iter().position(|bound| slowness.age < *bound).unwrap_or(AGES.len() - 1);
        answers.ages[age] += 1;
        answers.has_ended |= is_to_end;
        if answers.slowest.len() < SLOWEST {
            answers.slowest.push(describe().client(client, slowness));
        } else if let Some(fastest) = answers.slowest.iter_mut().min_by_key(|client| client.slowness)
            && fastest.slowness < slowness
        {
            *fastest = describe().client(client, slowness);
        }
        if is_to_end || answers.clients >= self.expected {
            self.complete.notify_one();
        }
        is_to_end
    }
}

/// The rest of the description of a client, beside its slowness.
pub(crate) struct Described {
    pub(crate) address: String,
    pub(crate) subject: Option<String>,
    pub(crate) topics: Vec<String>,
    pub(crate) cursor: Option<String>,
}

impl Described {
    fn client(self, client: ClientId, slowness: Slowness) -> SlowClient {
        let Self { address, subject, topics, cursor } = self;
        let Slowness { lag, stalled, age } = slowness;
        SlowClient {
            client,
            address,
            subject,
            topics,
            cursor,
            lag_messages: lag,
            stalled_seconds: stalled,
            connected_seconds: age,
            slowness,
        }
    }
}

impl FromStr for ClientId {
    type Err = ParseIntError;

    fn from_str(text: &str) -> Result<Self, ParseIntError> {
        text.parse().map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn described() -> Described {
        Described { address: String::new(), subject: None, topics: Vec::new(), cursor: None }
    }

    fn slowness(lag: usize) -> Slowness {
        Slowness { lag, stalled: 0, age: 59 }
    }

    #[tokio::test]
    async fn the_slowest_are_listed_and_all_are_counted() {
        let (inquiries, count) = (Inquiries::default(), 10 * SLOWEST);
        let mut order: Vec<usize> = (0..count).collect();
        fastrand::shuffle(&mut order);
        let answers = inquiries.ask(count, None, || {
            let inquiry = inquiries.latest().unwrap();
            for &lag in &order {
                let client = ClientId(lag as u64);
                assert!(!inquiry.answer(client, slowness(lag), described));
            }
        });
        let answers = answers.await;
        assert_eq!((answers.clients, answers.ages[1], answers.has_ended), (count, count, false));
        let lags: Vec<usize> = answers.slowest.iter().map(|client| client.lag_messages).collect();
        assert_eq!(lags, (count - SLOWEST..count).rev().collect::<Vec<_>>());
    }

    #[tokio::test(start_paused = true)]
    async fn who_does_not_answer_is_not_waited_for_long() {
        let inquiries = Inquiries::default();
        let answers = inquiries.ask(2, None, || {
            let client = ClientId(1);
            inquiries.latest().unwrap().answer(client, slowness(0), described);
        });
        assert_eq!(answers.await.clients, 1);
        assert!(inquiries.latest().is_none());
        assert_eq!(inquiries.number(), 1);
    }

    #[test]
    fn no_two_clients_have_a_number() {
        let inquiries = Inquiries::default();
        let numbers = [0, 0, 7, 7, 5, 100].map(|micros| inquiries.number_stay(micros));
        assert_eq!(numbers, [1, 2, 7, 8, 9, 100]);
    }

    #[tokio::test]
    async fn one_client_is_ended_and_no_other() {
        let inquiries = Inquiries::default();
        let [one, other] = [7, 77].map(ClientId);
        let named = "7".parse().unwrap();
        let answers = inquiries.ask(9, Some(named), || {
            let inquiry = inquiries.latest().unwrap();
            assert!(!inquiry.answer(other, slowness(0), described));
            assert!(inquiry.answer(one, slowness(0), described));
        });
        assert!(answers.await.has_ended);
        assert!(["", "x", "-7", "7-7"].iter().all(|text| text.parse::<ClientId>().is_err()));
    }
}
