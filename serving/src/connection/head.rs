//! The short way to a service's own method and to publishing: requests that are read without hyper.
//!
//! The clients of a method come back again and again, a long poll for each message, and so do publishers. A request that has arrived
//! whole, is for a route of the method or publishes, and has nothing unusual about it is therefore read here. Every other request is
//! left to hyper and warp, which know the same routes: whatever is unusual about a request has one place where it is dealt with.

use bytes::{Buf, Bytes};
use http::header::{CONTENT_LENGTH, EXPECT, TRANSFER_ENCODING};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Version};
use httparse::{EMPTY_HEADER, Status};

use crate::headers::is_websocket_upgrade;
use crate::routes::{MESSAGES, MethodRoute};

/// The most headers of a head that is read here.
const MAX_HEADERS: usize = 32;

/// The head of a request that is read here.
#[derive(Debug)]
pub(crate) struct Head<'a> {
    pub(crate) purpose: Purpose<'a>,
    pub(crate) target: PathAndQuery,
    pub(crate) headers: HeaderMap,
    pub(crate) version: Version,
}

/// The purpose of such a request.
#[derive(Debug)]
pub(crate) enum Purpose<'a> {
    /// To be answered by a route of the method.
    Method(&'a MethodRoute),
    /// To publish a body.
    Publication(Bytes),
}

impl Purpose<'_> {
    /// The method of the request.
    pub(crate) fn method(&self) -> Method {
        match self {
            Self::Method(_) => Method::GET,
            Self::Publication(_) => Method::POST,
        }
    }

    /// Returns whether the request is answered by the route even when the service is full.
    pub(crate) fn is_taken_when_full(&self, headers: &HeaderMap) -> bool {
        match self {
            Self::Method(route) => route.takes_when_full(headers),
            Self::Publication(_) => false,
        }
    }
}

impl<'a> Head<'a> {
    /// Reads the request at the beginning of `unread` and takes it off, if it is one for this file.
    pub(crate) fn take(unread: &mut Bytes, routes: &'a [MethodRoute], max_bytes: usize) -> Option<Self> {
        let (mut head, length) = Self::parse(unread, routes, max_bytes)?;
        unread.advance(length);
        if let Purpose::Publication(body) = &mut head.purpose {
            *body = unread.split_to(body.len());
        }
        Some(head)
    }

    /// Returns the head at the beginning of `bytes`, and its length without the body.
    fn parse(bytes: &Bytes, routes: &'a [MethodRoute], max_bytes: usize) -> Option<(Self, usize)> {
        let mut fields = [EMPTY_HEADER; MAX_HEADERS];
        let mut head = httparse::Request::new(&mut fields);
        let Ok(Status::Complete(length)) = head.parse(bytes) else { return None };
        let target = head.path.filter(|target| target.starts_with('/'))?;
        let path = target.split_once('?').map_or(target, |(path, _)| path);
        let publishes = head.method == Some(Method::POST.as_str()) && path == MESSAGES;
        let reads = head.method == Some(Method::GET.as_str()) && routes.iter().any(|route| route.path() == path);
        if length > max_bytes || !(publishes || reads) {
            return None;
        }
        let mut headers = HeaderMap::with_capacity(head.headers.len());
        for field in head.headers.iter() {
            let name = HeaderName::from_bytes(field.name.as_bytes()).ok()?;
            headers.append(name, HeaderValue::from_maybe_shared(bytes.slice_ref(field.value)).ok()?);
        }
        if [TRANSFER_ENCODING, EXPECT].iter().any(|name| headers.contains_key(name)) {
            return None;
        }
        let purpose = if publishes {
            Purpose::Publication(whole_body(&headers, &bytes.slice(length..))?)
        } else if headers.contains_key(CONTENT_LENGTH) {
            return None;
        } else {
            Purpose::Method(routes.iter().find(|route| route.path() == path && route.takes(&headers))?)
        };
        let version = if head.version == Some(1) { Version::HTTP_11 } else { Version::HTTP_10 };
        let target = PathAndQuery::from_maybe_shared(bytes.slice_ref(target.as_bytes())).ok()?;
        Some((Self { purpose, target, headers, version }, length))
    }
}

/// Returns the body of a publication at the beginning of `bytes`, if its length is announced in the plainest way and all of it is there.
fn whole_body(headers: &HeaderMap, bytes: &Bytes) -> Option<Bytes> {
    let mut lengths = headers.get_all(CONTENT_LENGTH).iter();
    let (Some(length), None) = (lengths.next(), lengths.next()) else { return None };
    let is_plain = !length.is_empty() && length.as_bytes().iter().all(u8::is_ascii_digit);
    let length: usize = length.to_str().ok().filter(|_| is_plain)?.parse().ok()?;
    let is_here = length <= bytes.len() && !is_websocket_upgrade(headers);
    is_here.then(|| bytes.slice(..length))
}
