//! What is written into a message, so that whoever receives it knows which it is and when it was sent, and how it is found
//! again among whatever a server puts around it.

use memchr::memchr;

/// `~LLLNNNNNNNNN~TTTTTTTTTTTTTTT~`: lane, number, nanoseconds. No encoding of text that servers use changes these.
pub(crate) const LENGTH: usize = 30;

const EDGE: u8 = b'~';

/// Which message it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mark {
    /// The publisher: what one publishes has an order.
    pub(crate) lane: u16,
    /// The place among the lane's messages, from 1.
    pub(crate) number: u32,
    /// When publishing it began, in nanoseconds on the generator's clock.
    pub(crate) begun: u64,
}

impl Mark {
    pub(crate) fn write(self, to: &mut [u8]) {
        to[..LENGTH].fill(EDGE);
        digits(&mut to[1..4], self.lane.into());
        digits(&mut to[4..13], self.number.into());
        digits(&mut to[14..29], self.begun);
    }

    /// Reads a mark that begins with the first byte.
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

/// Finds marks in a stream of bytes that comes in pieces.
#[derive(Debug, Clone, Default)]
pub(crate) struct Scanner {
    held: [u8; LENGTH],
    length: usize,
}

impl Scanner {
    pub(crate) fn scan(&mut self, mut piece: &[u8], mut found: impl FnMut(Mark)) {
        while self.length > 0 {
            let more = (LENGTH - self.length).min(piece.len());
            self.held[self.length..self.length + more].copy_from_slice(&piece[..more]);
            if self.length + more < LENGTH {
                self.length += more;
                return;
            }
            if let Some(mark) = Mark::read(&self.held) {
                found(mark);
                self.length = 0;
                piece = &piece[more..];
            } else {
                // It only began like one. Another may begin within what was held.
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
            match Mark::read(bytes) {
                Some(mark) => {
                    found(mark);
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

    fn mark(number: u32) -> Mark {
        Mark { lane: 7, number, begun: 123_456_789_012_345 }
    }

    fn text(number: u32) -> [u8; LENGTH] {
        let mut bytes = [0; LENGTH];
        mark(number).write(&mut bytes);
        bytes
    }

    #[test]
    fn marks_are_found_wherever_the_stream_is_split() {
        // What looks like the beginning of a mark, right before one, and twice in a row.
        let stream =
            [b"id: 1\ndata: ~".as_slice(), &text(1), b"x\n\n~00712~", &text(2), &text(3), b"~~", &text(4), b"~"]
                .concat();
        for first in 0..=stream.len() {
            for second in first..=stream.len() {
                let mut scanner = Scanner::default();
                let mut found = Vec::new();
                for piece in [&stream[..first], &stream[first..second], &stream[second..]] {
                    scanner.scan(piece, |mark| found.push(mark));
                }
                assert_eq!(found, [mark(1), mark(2), mark(3), mark(4)], "{first} {second}");
            }
        }
    }

    #[test]
    fn marks_are_found_byte_by_byte() {
        let stream = [b"~~~".as_slice(), &text(1), &text(999_999_999)].concat();
        let mut scanner = Scanner::default();
        let mut found = Vec::new();
        stream.iter().for_each(|byte| scanner.scan(&[*byte], |mark| found.push(mark)));
        assert_eq!(found, [mark(1), mark(999_999_999)]);
    }
}
