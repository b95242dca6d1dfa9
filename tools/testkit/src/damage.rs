//! Changes to bytes, as a broken or hostile client makes them.

use proptest::prelude::*;
use proptest::sample::{Index, select};

/// A change to bytes.
#[derive(Debug, Clone)]
pub enum Damage {
    /// Inverts a bit of a byte.
    FlipBit(Index, u32),
    /// Inserts a byte.
    Insert(Index, u8),
    /// Repeats so many bytes.
    Repeat(Index, usize),
    /// Drops so many bytes.
    Drop(Index, usize),
    /// Drops everything from there on.
    Truncate(Index),
}

impl Damage {
    /// Makes the change. Of nothing, nothing can be changed.
    pub fn change(&self, bytes: &mut Vec<u8>) {
        if bytes.is_empty() {
            return;
        }
        let range = |at: &Index, length: usize| {
            let start = at.index(bytes.len());
            start..bytes.len().min(start + length)
        };
        match self {
            Self::FlipBit(at, bit) => *at.get_mut(bytes) ^= 1 << bit,
            Self::Insert(at, byte) => bytes.insert(at.index(bytes.len()), *byte),
            Self::Repeat(at, length) => {
                let range = range(at, *length);
                let repeated = bytes[range.clone()].to_vec();
                bytes.splice(range.start..range.start, repeated);
            }
            Self::Drop(at, length) => {
                let range = range(at, *length);
                bytes.drain(range);
            }
            Self::Truncate(at) => bytes.truncate(at.index(bytes.len())),
        }
    }
}

/// Returns random changes. The bytes that are inserted are most often of `likely`.
pub fn damage(likely: &'static [u8]) -> impl Strategy<Value = Damage> {
    let at = any::<Index>;
    prop_oneof![
        3 => (at(), 0..8_u32).prop_map(|(at, bit)| Damage::FlipBit(at, bit)),
        2 => (at(), prop_oneof![select(likely), any::<u8>()]).prop_map(|(at, byte)| Damage::Insert(at, byte)),
        1 => (at(), 1..20_usize).prop_map(|(at, length)| Damage::Repeat(at, length)),
        1 => (at(), 1..20_usize).prop_map(|(at, length)| Damage::Drop(at, length)),
        1 => at().prop_map(Damage::Truncate),
    ]
}
