//! The short way to a service's own method: request heads that are read without hyper.
//!
//! The clients of a method come back again and again, a long poll for each message. A head that has arrived whole, is for
//! a route of the method and has nothing unusual about it is therefore read here. Every other request is left to hyper
//! and warp, which know the same routes: whatever is unusual about a request has one place where it is dealt with.

use bytes::{Buf, Bytes};
use http::header::{CONTENT_LENGTH, EXPECT, TRANSFER_ENCODING};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Version};
use httparse::{EMPTY_HEADER, Status};

use crate::routes::MethodRoute;

/// The most headers of a head that is read here.
const MAX_HEADERS: usize = 32;

/// The head of a request for a route of the method.
#[derive(Debug)]
pub(super) struct Head<'a> {
    pub(super) route: &'a MethodRoute,
    pub(super) target: PathAndQuery,
    pub(super) headers: HeaderMap,
    pub(super) version: Version,
}

impl<'a> Head<'a> {
    /// Reads the head at the beginning of `unread` and takes it off, if it is one for this file.
    pub(super) fn take(unread: &mut Bytes, routes: &'a [MethodRoute], max_bytes: usize) -> Option<Self> {
        let (head, length) = Self::parse(unread, routes, max_bytes)?;
        unread.advance(length);
        Some(head)
    }

    /// Returns the head at the beginning of `bytes`, and its length.
    fn parse(bytes: &Bytes, routes: &'a [MethodRoute], max_bytes: usize) -> Option<(Self, usize)> {
        let mut fields = [EMPTY_HEADER; MAX_HEADERS];
        let mut head = httparse::Request::new(&mut fields);
        let Ok(Status::Complete(length)) = head.parse(bytes) else { return None };
        let target = head.path.filter(|target| target.starts_with('/'))?;
        let path = target.split_once('?').map_or(target, |(path, _)| path);
        if head.method != Some("GET") || length > max_bytes || !routes.iter().any(|route| route.path() == path) {
            return None;
        }
        let mut headers = HeaderMap::with_capacity(head.headers.len());
        for field in head.headers.iter() {
            let name = HeaderName::from_bytes(field.name.as_bytes()).ok()?;
            headers.append(name, HeaderValue::from_maybe_shared(bytes.slice_ref(field.value)).ok()?);
        }
        if [CONTENT_LENGTH, TRANSFER_ENCODING, EXPECT].iter().any(|name| headers.contains_key(name)) {
            return None;
        }
        let route = routes.iter().find(|route| route.path() == path && route.takes(&headers))?;
        let version = if head.version == Some(1) { Version::HTTP_11 } else { Version::HTTP_10 };
        let target = PathAndQuery::from_maybe_shared(bytes.slice_ref(target.as_bytes())).ok()?;
        Some((Self { route, target, headers, version }, length))
    }
}
