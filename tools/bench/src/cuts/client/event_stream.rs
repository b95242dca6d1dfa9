//! A parser of event streams (WHATWG HTML, section 9.2.6) that come in pieces.

/// The content of a block: an event if there is data, and an id that counts even without data.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Dispatch {
    pub(super) id: Option<String>,
    pub(super) event: Option<String>,
    pub(super) data: Option<String>,
}

/// The bytes and fields that have been read and not been dispatched. A block without its empty line never is.
#[derive(Debug, Default)]
pub(super) struct Parser {
    unread: Vec<u8>,
    /// The length of the beginning of `unread` that holds no line end.
    searched: usize,
    id: Option<String>,
    event: Option<String>,
    data: Option<String>,
}

impl Parser {
    pub(super) fn feed(&mut self, bytes: &[u8]) {
        self.unread.extend_from_slice(bytes);
    }

    /// Returns the next complete block that has data or an id.
    pub(super) fn next(&mut self) -> Option<Dispatch> {
        while let Some(line) = self.line() {
            if !line.is_empty() {
                self.field(&line);
                continue;
            }
            let block = Dispatch { id: self.id.take(), event: self.event.take(), data: self.data.take() };
            if block.id.is_some() || block.data.is_some() {
                return Some(block);
            }
        }
        None
    }

    /// Returns the next complete line. Lines end with \n or \r\n; no server here sends a lone \r, which the format allows
    /// too.
    fn line(&mut self) -> Option<String> {
        let Some(at) = self.unread[self.searched..].iter().position(|&byte| byte == b'\n') else {
            self.searched = self.unread.len();
            return None;
        };
        let rest = self.unread.split_off(self.searched + at + 1);
        let mut line = std::mem::replace(&mut self.unread, rest);
        self.searched = 0;
        line.pop();
        if line.last() == Some(&b'\r') {
            line.pop();
        }
        Some(String::from_utf8_lossy(&line).into_owned())
    }

    fn field(&mut self, line: &str) {
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match name {
            "id" => self.id = Some(value.to_owned()),
            "event" => self.event = Some(value.to_owned()),
            "data" => match &mut self.data {
                Some(data) => {
                    data.push('\n');
                    data.push_str(value);
                }
                None => self.data = Some(value.to_owned()),
            },
            // A comment has an empty name.
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STREAM: &str =
        "retry: 5\nid: e-1\n\n: hello\n\nid: e-2\nevent: gap\ndata: a\r\ndata:  b\n\ndata\n\nid: e-3\ndata: c\n";

    fn block(id: Option<&str>, event: Option<&str>, data: Option<&str>) -> Dispatch {
        let own = |text: Option<&str>| text.map(str::to_owned);
        Dispatch { id: own(id), event: own(event), data: own(data) }
    }

    #[test]
    fn blocks_are_whole_wherever_the_stream_is_cut() {
        let expected = [
            block(Some("e-1"), None, None),
            block(Some("e-2"), Some("gap"), Some("a\n b")),
            // The last complete block: e-3 has no empty line after it.
            block(None, None, Some("")),
        ];
        for size in 1..STREAM.len() {
            let mut parser = Parser::default();
            let mut blocks = Vec::new();
            for piece in STREAM.as_bytes().chunks(size) {
                parser.feed(piece);
                blocks.extend(std::iter::from_fn(|| parser.next()));
            }
            assert_eq!(blocks, expected, "in pieces of {size}");
        }
    }
}
