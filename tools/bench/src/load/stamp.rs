//! The stamp at the beginning of every message, with its number and the time at which it was sent, and the scanner that
//! finds stamps in whatever a server puts around them.

use memchr::memchr;

/// `~LLLNNNNNNNNN~TTTTTTTTTTTTTTT~`: lane, number, nanoseconds. None of the text encodings that servers use changes these
/// characters.
pub(crate) const LENGTH: usize = 30;

const EDGE: u8 = b'~';

/// The identity of a message, and when it was published.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp {
    /// The publisher. The messages of one publisher have an order.
    pub(crate) lane: u16,
    /// The number of the message among those of its lane, from 1.
    pub(crate) number: u32,
    /// The time at which its publication began, in nanoseconds on the generator's clock.
    pub(crate) begun: u64,
}

impl Stamp {
    pub(crate) fn write(self, to: &mut [u8]) {
        to[..LENGTH].fill(EDGE);
        digits(&mut to[1..4], self.lane.into());
        digits(&mut to[4..13], self.number.into());
        digits(&mut to[14..29], self.begun);
    }

    /// Reads a stamp that begins with the first byte.
    fn read(bytes: &[u8; LENGTH]) -> Option<Self> {
        if bytes[13] != EDGE || bytes[29] != EDGE {
            return None;
        }
        let lane = u16::try_from(number(&bytes[1..4])?).ok()?;
        let number_of = u32::try_from(number(&bytes[4..13])?).ok()?;
        Some(Self { lane, number: number_of, begun: number(&bytes[14..29])? })
    }
}

fn digits(to: &mut [u8], mut value: u64) {
    for digit in to.iter_mut().rev() {
        *digit = b'0' + (value % 10) as u8;
        value /= 10;
    }
}

fn number(bytes: &[u8]) -> Option<u64> {
    bytes.iter().try_fold(0_u64, |sum, byte| byte.is_ascii_digit().then(|| sum * 10 + u64::from(byte - b'0')))
}

/// Finds stamps in a stream of bytes that comes in pieces.
#[derive(Debug, Clone, Default)]
pub(crate) struct Scanner {
    held: [u8; LENGTH],
    length: usize,
}

impl Scanner {
    pub(crate) fn scan(&mut self, mut piece: &[u8], mut found: impl FnMut(Stamp)) {
        while self.length > 0 {
            let more = (LENGTH - self.length).min(piece.len());
            self.held[self.length..self.length + more].copy_from_slice(&piece[..more]);
            if self.length + more < LENGTH {
                self.length += more;
                return;
            }
            if let Some(stamp) = Stamp::read(&self.held) {
                found(stamp);
                self.length = 0;
                piece = &piece[more..];
            } else {
                // It only began like a stamp. Another one may begin within what was held.
                match memchr(EDGE, &self.held[1..self.length]) {
                    Some(at) => {
                        self.held.copy_within(at + 1..self.length, 0);
                        self.length -= at + 1;
                    }
                    None => self.length = 0,
                }
            }
        }
        while let Some(at) = memchr(EDGE, piece) {
            piece = &piece[at..];
            let Some(bytes) = piece.first_chunk::<LENGTH>() else {
                self.held[..piece.len()].copy_from_slice(piece);
                self.length = piece.len();
                return;
            };
            match Stamp::read(bytes) {
                Some(stamp) => {
                    found(stamp);
                    piece = &piece[LENGTH..];
                }
                None => piece = &piece[1..],
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stamp(number: u32) -> Stamp {
        Stamp { lane: 7, number, begun: 123_456_789_012_345 }
    }

    fn text(number: u32) -> [u8; LENGTH] {
        let mut bytes = [0; LENGTH];
        stamp(number).write(&mut bytes);
        bytes
    }

    #[test]
    fn stamps_are_found_wherever_the_stream_is_split() {
        // Something that looks like the beginning of a stamp, right before one, and twice in a row.
        let stream =
            [b"id: 1\ndata: ~".as_slice(), &text(1), b"x\n\n~00712~", &text(2), &text(3), b"~~", &text(4), b"~"]
                .concat();
        for first in 0..=stream.len() {
            for second in first..=stream.len() {
                let mut scanner = Scanner::default();
                let mut found = Vec::new();
                for piece in [&stream[..first], &stream[first..second], &stream[second..]] {
                    scanner.scan(piece, |stamp| found.push(stamp));
                }
                assert_eq!(found, [stamp(1), stamp(2), stamp(3), stamp(4)], "{first} {second}");
            }
        }
    }

    #[test]
    fn stamps_are_found_byte_by_byte() {
        let stream = [b"~~~".as_slice(), &text(1), &text(999_999_999)].concat();
        let mut scanner = Scanner::default();
        let mut found = Vec::new();
        stream.iter().for_each(|byte| scanner.scan(&[*byte], |stamp| found.push(stamp)));
        assert_eq!(found, [stamp(1), stamp(999_999_999)]);
    }
}
