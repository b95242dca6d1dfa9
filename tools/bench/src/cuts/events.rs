//! What a client saw, written down as it happened and judged later.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::time::Instant;

use serde::Deserialize;

/// One thing that happened to a client. Times are in microseconds of the run's clock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A connection stands; it was begun at this time.
    Joined(u64),
    /// The first position that the server gave the client.
    Position(Box<str>),
    /// A message of this run, by its number.
    Message {
        /// Which.
        number: u64,
        /// When it was received.
        at: u64,
    },
    /// The server told of a gap.
    Gap(Box<Gap>),
    /// The connection was lost.
    Lost(u64),
}

/// A gap as it was told.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Gap {
    /// Why.
    pub reason: Box<str>,
    /// What the server says the client had.
    pub since: Box<str>,
    /// Where delivery goes on.
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

/// What can be seen of a client while it runs.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    /// It has had a connection and, where the server gives positions, has one.
    pub(crate) joined: AtomicBool,
    /// The highest number received.
    pub(crate) newest: AtomicU64,
    pub(crate) received: AtomicU64,
    pub(crate) reconnects: AtomicU64,
    /// How often it went on by another method.
    pub(crate) switches: AtomicU64,
    /// Why the last connection ended.
    pub(crate) failure: Mutex<String>,
}

/// How a message of a run is written, so that it is told from what others publish: `bench:<run>:<number>:…`.
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
    // A text without its end is not the message.
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
