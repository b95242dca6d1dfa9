//! A whole answer in memory.

use std::convert::Infallible;

use bytes::{Bytes, BytesMut};
use futures_util::stream;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderName, HeaderValue, StatusCode};
use smallvec::SmallVec;
use warp::Reply as _;

/// A status, headers and a body, which may share its parts with the answers to others.
#[derive(Debug)]
pub struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: SmallVec<[(HeaderName, HeaderValue); 3]>,
    pub(crate) body: Body,
    /// The code of the error, if it is one.
    pub(crate) error: Option<ErrorCode>,
}

/// The code of the error that a response answers with, among the extensions of the response.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ErrorCode(pub(crate) &'static str);

/// The parts of a body, which follow each other.
pub type Body = SmallVec<[Bytes; 3]>;

impl Reply {
    /// An answer without a body.
    pub fn empty(status: StatusCode) -> Self {
        Self::new(status, Body::new())
    }

    /// An answer of JSON, in parts.
    pub fn json(status: StatusCode, body: Body) -> Self {
        Self::new(status, body).with(CONTENT_TYPE, "application/json")
    }

    /// An answer with a body in parts.
    pub fn new(status: StatusCode, body: Body) -> Self {
        Self { status, headers: SmallVec::new(), body, error: None }
    }

    /// Adds a header.
    #[must_use]
    pub fn with(self, name: HeaderName, value: &'static str) -> Self {
        self.with_value(name, HeaderValue::from_static(value))
    }

    /// Adds a header with a value of this answer alone.
    #[must_use]
    pub(crate) fn with_value(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    /// The length of the body in bytes.
    pub(crate) fn body_bytes(&self) -> usize {
        self.body.iter().map(Bytes::len).sum()
    }
}

/// Parts that are smaller than this are copied together, up to this size: each piece of a body costs a step of hyper's.
const PIECE: usize = 16 * 1024;

/// The same bytes in larger pieces. Made one after the other as they are asked for, so that a client which reads slowly
/// holds no copy of what is shared.
struct Pieces(smallvec::IntoIter<[Bytes; 3]>);

impl Iterator for Pieces {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        let first = self.0.next()?;
        let fits = |length: usize, parts: &[Bytes]| parts.first().is_some_and(|next| length + next.len() <= PIECE);
        if !fits(first.len(), self.0.as_slice()) {
            return Some(first);
        }
        let mut piece = BytesMut::with_capacity(PIECE);
        piece.extend_from_slice(&first);
        while fits(piece.len(), self.0.as_slice()) {
            piece.extend(self.0.next());
        }
        Some(piece.freeze())
    }
}

impl From<Reply> for warp::reply::Response {
    fn from(Reply { status, headers, body, error }: Reply) -> Self {
        let mut response = match &body[..] {
            [] => Self::new(Bytes::new().into()),
            [whole] => Self::new(whole.clone().into()),
            parts => {
                let length = parts.iter().map(Bytes::len).sum::<usize>();
                let pieces = stream::iter(Pieces(body.into_iter()).map(Ok::<_, Infallible>));
                let mut response = warp::reply::stream(pieces).into_response();
                response.headers_mut().insert(CONTENT_LENGTH, length.into());
                response
            }
        };
        *response.status_mut() = status;
        if let Some(error) = error {
            response.extensions_mut().insert(error);
        }
        for (name, value) in headers {
            response.headers_mut().insert(name, value);
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_parts_are_shared_and_small_ones_joined() {
        let large = Bytes::from(vec![b'x'; PIECE + 1]);
        let small = |count| (0..count).map(|_| Bytes::from_static(b"12345678"));
        let body: Body = small(10).chain([large.clone()]).chain(small(PIECE / 8 + 1)).chain([large.clone()]).collect();
        let whole = body.concat();
        let pieces: Vec<Bytes> = Pieces(body.into_iter()).collect();
        assert_eq!(pieces.concat(), whole);
        assert_eq!(pieces.iter().map(Bytes::len).collect::<Vec<_>>(), [80, PIECE + 1, PIECE, 8, PIECE + 1]);
        for shared in [1, 4] {
            assert_eq!(pieces[shared].as_ptr(), large.as_ptr());
        }
        assert_eq!(Pieces(Body::new().into_iter()).next(), None);
    }
}
