//! A parser of event streams (WHATWG HTML, section 9.2.6) that come in pieces.
//!
//! Unlike an `EventSource`, it returns blocks without data too, since an id without data is a position to resume from.

use std::mem;
use std::time::Duration;

use memchr::memchr2;

/// U+FEFF in UTF-8. It counts for nothing at the very beginning of a stream.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The content of a block that has at least one of an id, data and a time of reconnection.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Block {
    /// The id, which counts even without data.
    pub id: Option<String>,
    /// The name of the event.
    pub event: Option<String>,
    /// The lines of data, joined by line feeds. Without any, there is no event.
    pub data: Option<String>,
    /// The time after which a client is asked to reconnect.
    pub retry: Option<Duration>,
}

/// The bytes and fields that have been read and not been returned. A block without its empty line never is.
#[derive(Debug, Default)]
pub struct Parser {
    bytes: Vec<u8>,
    /// The beginning of the line that is read next.
    start: usize,
    /// The end of the part of that line that holds no line end.
    searched: usize,
    /// The line before ended with a carriage return, to which a line feed may belong.
    after_return: bool,
    /// The first line has been read.
    has_begun: bool,
    block: Block,
}

impl Parser {
    /// Takes the next bytes of the stream.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.bytes.drain(..self.start);
        self.searched -= self.start;
        self.start = 0;
        self.bytes.extend_from_slice(bytes);
    }

    /// Returns the next complete block.
    pub fn next_block(&mut self) -> Option<Block> {
        loop {
            let line = self.line()?;
            if !line.is_empty() {
                self.field(&line);
                continue;
            }
            let block = mem::take(&mut self.block);
            if block.id.is_some() || block.data.is_some() || block.retry.is_some() {
                return Some(block);
            }
        }
    }

    /// Returns the next complete line, without its end: a line feed, a carriage return, or both.
    fn line(&mut self) -> Option<String> {
        if self.after_return && self.start < self.bytes.len() {
            self.after_return = false;
            if self.bytes[self.start] == b'\n' {
                self.start += 1;
                self.searched = self.start;
            }
        }
        let Some(length) = memchr2(b'\n', b'\r', &self.bytes[self.searched..]) else {
            self.searched = self.bytes.len();
            return None;
        };
        let end = self.searched + length;
        let mut line = &self.bytes[self.start..end];
        if !mem::replace(&mut self.has_begun, true) {
            line = line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(line);
        }
        let line = String::from_utf8_lossy(line).into_owned();
        self.after_return = self.bytes[end] == b'\r';
        self.start = end + 1;
        self.searched = self.start;
        Some(line)
    }

    fn field(&mut self, line: &str) {
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match name {
            "id" if !value.contains('\0') => self.block.id = Some(value.to_owned()),
            "event" => self.block.event = Some(value.to_owned()),
            "data" => match &mut self.block.data {
                Some(data) => {
                    data.push('\n');
                    data.push_str(value);
                }
                None => self.block.data = Some(value.to_owned()),
            },
            "retry" if value.bytes().all(|byte| byte.is_ascii_digit()) => {
                self.block.retry = value.parse().ok().map(Duration::from_millis);
            }
            // A comment has an empty name.
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(id: Option<&str>, event: Option<&str>, data: Option<&str>) -> Block {
        let own = |text: Option<&str>| text.map(str::to_owned);
        Block { id: own(id), event: own(event), data: own(data), retry: None }
    }

    fn blocks(stream: &[u8], size: usize) -> Vec<Block> {
        let mut parser = Parser::default();
        let mut blocks = Vec::new();
        for piece in stream.chunks(size) {
            parser.feed(piece);
            blocks.extend(std::iter::from_fn(|| parser.next_block()));
        }
        blocks
    }

    #[test]
    fn blocks_are_whole_wherever_the_stream_is_cut() {
        let stream = "\u{feff}retry: 5\nid: e-1\n\n: hello\n\nid: e-2\nevent: gap\ndata: a\r\ndata:  b\n\ndata\n\nid: e-3\ndata: c\n";
        let expected = [
            Block { retry: Some(Duration::from_millis(5)), ..block(Some("e-1"), None, None) },
            block(Some("e-2"), Some("gap"), Some("a\n b")),
            // The last complete block: e-3 has no empty line after it.
            block(None, None, Some("")),
        ];
        for size in 1..=stream.len() {
            assert_eq!(blocks(stream.as_bytes(), size), expected, "in pieces of {size}");
        }
    }

    #[test]
    fn every_line_end_of_the_format_ends_a_line() {
        let expected = [block(Some("1"), None, Some("a\nb")), block(None, None, Some("c"))];
        for end in ["\n", "\r\n", "\r"] {
            let stream = ["id: 1", "data: a", "data: b", "", "data: c", "", ""].join(end);
            for size in 1..=stream.len() {
                assert_eq!(blocks(stream.as_bytes(), size), expected, "{end:?} in pieces of {size}");
            }
        }
    }

    #[test]
    fn fields_that_are_malformed_count_for_nothing() {
        // An id with a null, a time that is no number, a name in capitals, a name with a space before it.
        let stream = b"id: 1\nid: 2\0\nretry: 1s\nDATA: a\n data: b\ndata:c\n\nevent: alone\n\n";
        assert_eq!(blocks(stream, stream.len()), [block(Some("1"), None, Some("c"))]);
    }
}
