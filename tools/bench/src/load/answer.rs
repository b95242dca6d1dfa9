//! An HTTP/1.1 answer, read in place. It is parsed again when more of it has come, which is rare: answers are small.

use std::borrow::Cow;

use anyhow::{Context, bail};

/// More headers than any server measured here sends.
const HEADERS: usize = 48;

/// A complete answer.
#[derive(Debug)]
pub(crate) struct Answer<'a> {
    pub(crate) status: u16,
    head: Head<'a>,
    pub(crate) body: Cow<'a, [u8]>,
    /// The number of bytes that it took.
    pub(crate) length: usize,
}

/// The head of an answer.
#[derive(Debug)]
pub(crate) struct Head<'a> {
    pub(crate) status: u16,
    headers: Vec<(&'a str, &'a [u8])>,
    /// The number of bytes that it took.
    pub(crate) length: usize,
}

impl<'a> Head<'a> {
    /// Returns `None` if the head is not complete.
    pub(crate) fn parse(bytes: &'a [u8]) -> anyhow::Result<Option<Self>> {
        let mut headers = [httparse::EMPTY_HEADER; HEADERS];
        let mut response = httparse::Response::new(&mut headers);
        match response.parse(bytes).context("the answer is not HTTP")? {
            httparse::Status::Partial => Ok(None),
            httparse::Status::Complete(length) => {
                let status = response.code.context("an answer without a status")?;
                let headers = response.headers.iter().map(|header| (header.name, header.value)).collect();
                Ok(Some(Self { status, headers, length }))
            }
        }
    }

    pub(crate) fn header(&self, name: &str) -> Option<&'a str> {
        let (_, value) = self.headers.iter().find(|(other, _)| other.eq_ignore_ascii_case(name))?;
        std::str::from_utf8(value).ok()
    }

    pub(crate) fn is_chunked(&self) -> bool {
        self.header("transfer-encoding").is_some_and(|value| value.eq_ignore_ascii_case("chunked"))
    }
}

impl<'a> Answer<'a> {
    /// Returns `None` if the answer is not complete.
    pub(crate) fn parse(bytes: &'a [u8]) -> anyhow::Result<Option<Self>> {
        let Some(head) = Head::parse(bytes)? else { return Ok(None) };
        let rest = &bytes[head.length..];
        let (body, taken) = if head.is_chunked() {
            let mut chunks = Chunks::default();
            let mut body = Vec::new();
            let taken = chunks.feed(rest, |piece| body.extend_from_slice(piece))?;
            if !chunks.ended() {
                return Ok(None);
            }
            (Cow::Owned(body), taken)
        } else {
            let length = match head.header("content-length") {
                Some(text) => text.parse().context("content-length")?,
                None if head.status == 204 || head.status == 304 => 0,
                None => bail!("an answer ({}) without a length", head.status),
            };
            let Some(body) = rest.get(..length) else { return Ok(None) };
            (Cow::Borrowed(body), length)
        };
        Ok(Some(Self { status: head.status, length: head.length + taken, head, body }))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.header(name)
    }
}

/// Chunked transfer coding (RFC 9112, section 7.1), removed from a stream that comes in pieces.
#[derive(Debug, Clone, Default)]
pub(crate) struct Chunks {
    state: Chunk,
}

#[derive(Debug, Clone, Copy)]
enum Chunk {
    /// In the line with the size: the digits so far, and whether an extension has begun.
    Size {
        size: u64,
        extension: bool,
    },
    /// In the data.
    Data(u64),
    /// In the line end after the data.
    DataEnd,
    /// After the last chunk, in a line of which this many bytes were read.
    Trailer(usize),
    Ended,
}

impl Default for Chunk {
    fn default() -> Self {
        Self::Size { size: 0, extension: false }
    }
}

impl Chunks {
    /// Passes the data on. Returns the number of bytes that belonged to the body.
    pub(crate) fn feed(&mut self, bytes: &[u8], mut data: impl FnMut(&[u8])) -> anyhow::Result<usize> {
        let mut at = 0;
        while at < bytes.len() {
            let byte = bytes[at];
            self.state = match self.state {
                Chunk::Ended => break,
                Chunk::Data(left) => {
                    let length = (bytes.len() - at).min(usize::try_from(left)?);
                    data(&bytes[at..at + length]);
                    at += length;
                    self.state = if length as u64 == left { Chunk::DataEnd } else { Chunk::Data(left - length as u64) };
                    continue;
                }
                Chunk::Size { size: 0, .. } if byte == b'\n' => Chunk::Trailer(0),
                Chunk::Size { size, .. } if byte == b'\n' => Chunk::Data(size),
                Chunk::Size { size, extension } => match char::from(byte).to_digit(16) {
                    Some(digit) if !extension => {
                        ensure_small(size)?;
                        Chunk::Size { size: size * 16 + u64::from(digit), extension }
                    }
                    _ if extension || matches!(byte, b';' | b'\r' | b' ') => Chunk::Size { size, extension: true },
                    _ => bail!("a chunk without a size"),
                },
                Chunk::DataEnd if byte == b'\n' => Chunk::default(),
                Chunk::DataEnd => Chunk::DataEnd,
                Chunk::Trailer(0) if byte == b'\n' => Chunk::Ended,
                Chunk::Trailer(_) if byte == b'\n' => Chunk::Trailer(0),
                Chunk::Trailer(read) => Chunk::Trailer(read + usize::from(byte != b'\r')),
            };
            at += 1;
        }
        Ok(at)
    }

    pub(crate) fn ended(&self) -> bool {
        matches!(self.state, Chunk::Ended)
    }
}

fn ensure_small(size: u64) -> anyhow::Result<()> {
    anyhow::ensure!(size < 1 << 40, "a chunk that is too large");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHUNKED: &[u8] =
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;a=1\r\nabc\r\n1a\r\nabcdefghijklmnopqrstuvwxyz\r\n0\r\nx: y\r\n\r\nHTTP";

    #[test]
    fn a_chunked_answer_is_put_together() {
        let answer = Answer::parse(CHUNKED).unwrap().unwrap();
        assert_eq!(answer.body.as_ref(), b"abcabcdefghijklmnopqrstuvwxyz");
        assert_eq!(&CHUNKED[answer.length..], b"HTTP");
        for cut in 0..answer.length {
            assert!(Answer::parse(&CHUNKED[..cut]).unwrap().is_none(), "{cut}");
        }
    }

    #[test]
    fn chunks_may_come_in_any_pieces() {
        let body = &CHUNKED[CHUNKED.iter().position(|&byte| byte == b';').unwrap() - 1..];
        for cut in 0..body.len() {
            let (mut chunks, mut data) = (Chunks::default(), Vec::new());
            let first = chunks.feed(&body[..cut], |piece| data.extend_from_slice(piece)).unwrap();
            let second = chunks.feed(&body[cut..], |piece| data.extend_from_slice(piece)).unwrap();
            assert!(chunks.ended(), "{cut}");
            assert_eq!((data.len(), first + second), (29, body.len() - 4), "{cut}");
        }
        assert!(Chunks::default().feed(b"xyz\r\n", |_| {}).is_err());
    }

    #[test]
    fn an_answer_has_its_length() {
        let text = b"HTTP/1.1 201 Created\r\nETag: 7\r\nContent-Length: 2\r\n\r\nokHTTP";
        let answer = Answer::parse(text).unwrap().unwrap();
        assert_eq!((answer.status, answer.body.as_ref(), answer.header("etag")), (201, b"ok".as_slice(), Some("7")));
        assert_eq!(answer.length, text.len() - 4);
        assert!(Answer::parse(&text[..answer.length - 1]).unwrap().is_none());
        let empty = Answer::parse(b"HTTP/1.1 204 No Content\r\n\r\n").unwrap().unwrap();
        assert_eq!((empty.status, empty.body.len()), (204, 0));
        assert!(Answer::parse(b"HTTP/1.1 200 OK\r\n\r\n").is_err());
        assert!(Answer::parse(b"SSH-2.0\r\n\r\n").is_err());
    }
}
