//! Positions in a history.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

use crate::wall_clock::{SystemClock, WallClock};

/// The identity of a history.
///
/// A new history has a new epoch, so that a cursor from before a restart is recognised instead of naming other messages.
/// As text: lower-case base 36.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Epoch(u64);

impl Epoch {
    /// An epoch for a history that is born now: the second, and chance for those born in the same one.
    pub fn born_now() -> Self {
        let seconds = SystemClock.now().as_millis() / 1000;
        Self(seconds << 20 | fastrand::u64(..1 << 20))
    }

    /// The epoch with this number.
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// The number of the epoch.
    pub const fn number(self) -> u64 {
        self.0
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // 13 digits hold every u64.
        let mut digits = [0u8; 13];
        let mut start = digits.len();
        let mut rest = self.0;
        loop {
            start -= 1;
            digits[start] = b"0123456789abcdefghijklmnopqrstuvwxyz"[(rest % 36) as usize];
            rest /= 36;
            if rest == 0 {
                break;
            }
        }
        f.write_str(str::from_utf8(&digits[start..]).unwrap_or_default())
    }
}

/// A position in a history: everything up to the offset, and that message too, has been received.
///
/// As text `<epoch>-<offset>`, for example `m3k9x2-42`; opaque to clients. One cursor is valid for every topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Cursor {
    /// The history.
    pub epoch: Epoch,
    /// The number of the last message received; 0 is before the first.
    pub offset: u64,
}

impl Cursor {
    /// The position of a client whose position cannot be read. It is of no history, so the client is sent a gap.
    pub const UNREADABLE: Self = Self { epoch: Epoch::new(0), offset: 0 };
}

/// The error for a text that is no cursor.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("a cursor is the `cursor` or `id` of an earlier answer, or one of `now` and `earliest`")]
pub struct BadCursor;

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.epoch, self.offset)
    }
}

impl Serialize for Cursor {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl FromStr for Cursor {
    type Err = BadCursor;

    fn from_str(text: &str) -> Result<Self, BadCursor> {
        let (epoch, offset) = text.split_once('-').ok_or(BadCursor)?;
        let lower = |b: u8| b.is_ascii_digit() || b.is_ascii_lowercase();
        if !epoch.bytes().all(lower) || !offset.bytes().all(|b| b.is_ascii_digit()) {
            return Err(BadCursor);
        }
        Ok(Self {
            epoch: Epoch(u64::from_str_radix(epoch, 36).map_err(|_| BadCursor)?),
            offset: offset.parse().map_err(|_| BadCursor)?,
        })
    }
}

/// The position at which a subscription begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Position {
    /// After everything published so far.
    Now,
    /// Before the oldest message still held.
    Earliest,
    /// After what a client has received.
    At(Cursor),
}

impl FromStr for Position {
    type Err = BadCursor;

    fn from_str(text: &str) -> Result<Self, BadCursor> {
        match text {
            "now" => Ok(Self::Now),
            "earliest" => Ok(Self::Earliest),
            cursor => cursor.parse().map(Self::At),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_reads_back_as_it_was_written() {
        for (number, offset) in [(0, 0), (35, 1), (36, 42), (u64::MAX, u64::MAX)] {
            let cursor = Cursor { epoch: Epoch(number), offset };
            assert_eq!(cursor.to_string().parse(), Ok(cursor));
        }
        assert_eq!(Cursor { epoch: Epoch(36 * 36 + 35), offset: 7 }.to_string(), "10z-7");
    }

    #[test]
    fn anything_else_is_refused() {
        for bad in [
            "",
            "-",
            "a-",
            "-1",
            "a1",
            "a-b",
            "A-1",
            "a-+1",
            "a- 1",
            "a-1-2",
            "zzzzzzzzzzzzzz-1",
            "a-99999999999999999999",
        ] {
            assert_eq!(bad.parse::<Cursor>(), Err(BadCursor), "{bad:?}");
            assert_eq!(bad.parse::<Position>(), Err(BadCursor), "{bad:?}");
        }
        assert_eq!("now".parse(), Ok(Position::Now));
        assert_eq!("earliest".parse(), Ok(Position::Earliest));
    }
}
