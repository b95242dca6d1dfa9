//! A whole answer in memory.

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderName, HeaderValue, StatusCode};
use smallvec::SmallVec;

/// A status, headers and a body, which may share its parts with the answers to others.
#[derive(Debug)]
pub struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: SmallVec<[(HeaderName, HeaderValue); 3]>,
    pub(crate) body: Body,
}

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
        Self { status, headers: SmallVec::new(), body }
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

impl From<Reply> for warp::reply::Response {
    fn from(Reply { status, headers, body }: Reply) -> Self {
        let body = match &body[..] {
            [whole] => whole.clone(),
            parts => parts.concat().into(),
        };
        let mut response = Self::new(body.into());
        *response.status_mut() = status;
        for (name, value) in headers {
            response.headers_mut().insert(name, value);
        }
        response
    }
}
