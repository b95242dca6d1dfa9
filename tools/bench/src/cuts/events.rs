//! The events of a client, recorded as they happen and judged later.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::time::Instant;

use serde::Deserialize;

/// An event of a client. Times are in microseconds of the run's clock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A connection is established, which began at this time.
    Joined(u64),
    /// The first position that the server gave the client.
    Position(Box<str>),
    /// A message of this run, by its number.
    Message {
        /// Its number.
        number: u64,
        /// The time at which it was received.
        at: u64,
    },
    /// The server reported a gap.
    Gap(Box<Gap>),
    /// The connection was lost.
    Lost(u64),
}

/// A gap, as the server reported it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Gap {
    /// The reason.
    pub reason: Box<str>,
    /// The last position that the client had, according to the server.
    pub since: Box<str>,
    /// The position at which delivery continues.
    pub cursor: Box<str>,
}

/// The clock of a run, the same one for publishers and clients.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock(Instant);

impl Clock {
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    /// Microseconds since the start.
    pub(crate) fn now(self) -> u64 {
        self.0.elapsed().as_micros() as u64
    }
}

/// The counters of a client that others can read while it runs.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    /// It has had a connection and, where the server gives positions, has one.
    pub(crate) joined: AtomicBool,
    /// The highest number received.
    pub(crate) newest: AtomicU64,
    pub(crate) received: AtomicU64,
    pub(crate) reconnects: AtomicU64,
    /// The number of times that it changed its method.
    pub(crate) switches: AtomicU64,
    /// The tokens that have ended in good order, or made place for another one.
    pub(crate) renewed: AtomicU64,
    /// The messages that it received after its token had ended: their numbers, and the time of that end.
    pub(crate) after_token: Mutex<Vec<(u64, u64)>>,
    /// The reason why the last connection ended.
    pub(crate) failure: Mutex<String>,
}

/// The text of a message, which no other publisher would use: `bench:<run>:<number>:…`.
pub(crate) fn text(run: u32, number: u64, bytes: usize) -> String {
    let mut text = format!("bench:{run:08x}:{number}:");
    while text.len() < bytes {
        text.push('.');
    }
    text
}

/// The number of a message, if it is of this run.
pub(crate) fn number(run: u32, text: &str) -> Option<u64> {
    let mut parts = text.strip_prefix("bench:")?.split(':');
    if u32::from_str_radix(parts.next()?, 16) != Ok(run) {
        return None;
    }
    let number = parts.next()?.parse().ok()?;
    // A text that was cut is not the message.
    parts.next().map(|_| number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_known_by_its_text() {
        let text = text(0xfe, 42, 100);
        assert_eq!(text.len(), 100);
        assert_eq!(number(0xfe, &text), Some(42));
        assert_eq!(number(0xff, &text), None);
        for strange in ["", "New message", "bench:", "bench:000000fe:4", "bench:000000fe:x:"] {
            assert_eq!(number(0xfe, strange), None, "{strange:?}");
        }
    }
}
