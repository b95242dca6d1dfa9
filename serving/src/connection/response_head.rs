//! The head of an answer in HTTP/1.1 (RFC 9112, sections 4 and 5).

use std::cell::RefCell;
use std::time::SystemTime;

use http::header::{CONNECTION, CONTENT_LENGTH, DATE, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Version};

use crate::cors::{OpenTo, Origins};

/// The part of a request that decides how its answer is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Framing {
    /// The client wants the connection to serve further requests.
    pub(crate) keep_alive: bool,
    pub(crate) version: Version,
    pub(crate) open_to: OpenTo,
}

impl Default for Framing {
    fn default() -> Self {
        Self { keep_alive: false, version: Version::HTTP_11, open_to: OpenTo::NoRequest }
    }
}

impl Framing {
    /// Returns whether a stream is in chunks (RFC 9112, section 7.1), so that its end differs from a cut. HTTP/1.0 has none, and
    /// HTTP/2 frames of its own.
    pub(crate) fn is_chunked(self) -> bool {
        self.version == Version::HTTP_11
    }

    /// Returns headers with those of every answer, for HTTP/2.
    pub(crate) fn header_map(
        self,
        origins: &Origins,
        headers: impl IntoIterator<Item = (HeaderName, HeaderValue)>,
    ) -> HeaderMap {
        let mut map: HeaderMap = headers.into_iter().collect();
        origins.each_header(self.open_to, |name, value| drop(map.insert(name, value)));
        map
    }

    /// Writes the head of a stream, after which the connection is closed, or of an upgrade.
    pub(crate) fn stream_head<'a>(
        self,
        origins: &Origins,
        status: StatusCode,
        headers: impl IntoIterator<Item = (&'a str, &'a [u8])>,
    ) -> Vec<u8> {
        let mut head = self.head(origins, status, 0);
        headers.into_iter().for_each(|(name, value)| put(&mut head, name, value));
        if status != StatusCode::SWITCHING_PROTOCOLS {
            if self.is_chunked() {
                put(&mut head, TRANSFER_ENCODING.as_str(), b"chunked");
            }
            put(&mut head, CONNECTION.as_str(), b"close");
        }
        head.extend_from_slice(b"\r\n");
        head
    }

    /// Writes the head of an answer whose body has `length` bytes, with room for `more` bytes behind it.
    pub(crate) fn whole_head<'a>(
        self,
        origins: &Origins,
        status: StatusCode,
        headers: impl IntoIterator<Item = (&'a str, &'a [u8])>,
        length: usize,
        more: usize,
    ) -> Vec<u8> {
        let mut head = self.head(origins, status, more);
        headers.into_iter().for_each(|(name, value)| put(&mut head, name, value));
        if status != StatusCode::NO_CONTENT {
            let mut digits = itoa::Buffer::new();
            put(&mut head, CONTENT_LENGTH.as_str(), digits.format(length).as_bytes());
        }
        if !self.keep_alive {
            put(&mut head, CONNECTION.as_str(), b"close");
        } else if self.version == Version::HTTP_10 {
            put(&mut head, CONNECTION.as_str(), b"keep-alive");
        }
        head.extend_from_slice(b"\r\n");
        head
    }

    /// Writes the status line and the headers of every answer.
    fn head(self, origins: &Origins, status: StatusCode, more: usize) -> Vec<u8> {
        const HEAD: usize = 512;
        let mut head = Vec::with_capacity(HEAD + more);
        head.extend_from_slice(b"HTTP/1.1 ");
        head.extend_from_slice(status.as_str().as_bytes());
        head.push(b' ');
        head.extend_from_slice(status.canonical_reason().unwrap_or_default().as_bytes());
        head.extend_from_slice(b"\r\n");
        with_date(|date| put(&mut head, DATE.as_str(), date));
        origins.each_header(self.open_to, |name, value| put(&mut head, name.as_str(), value.as_bytes()));
        head
    }
}

/// Gives `take` the present time as a header has it, which is written once per second.
fn with_date(take: impl FnOnce(&[u8])) {
    thread_local! {
        static DATE: RefCell<(u64, String)> = const { RefCell::new((0, String::new())) };
    }
    let now = SystemTime::now();
    let second = now.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs());
    DATE.with_borrow_mut(|(written, date)| {
        if date.is_empty() || *written != second {
            *written = second;
            *date = httpdate::fmt_http_date(now);
        }
        take(date.as_bytes());
    });
}

fn put(head: &mut Vec<u8>, name: &str, value: &[u8]) {
    head.extend_from_slice(name.as_bytes());
    head.extend_from_slice(b": ");
    head.extend_from_slice(value);
    head.extend_from_slice(b"\r\n");
}
