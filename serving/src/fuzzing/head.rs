//! Requests that are read without hyper.

use bytes::Bytes;
use http::Method;

use super::hyper_request;
use crate::connection::{Head, Purpose};
use crate::error::ApiError;
use crate::reply::{Body, Reply};
use crate::routes::{MethodRoute, Upgrade};

/// The longest head that is read here.
const MAX_BYTES: usize = 2048;

/// The most headers of a head that is read here.
const MAX_HEADERS: usize = 32;

/// Checks that a request which is read without hyper is the one that hyper reads, that it is left alone until it is whole,
/// and that it is read again from what it says. The bytes are what a client sends.
pub fn head(bytes: &[u8]) {
    let routes =
        [route("/direct", Upgrade::Refused), route("/direct", Upgrade::Chosen), route("/ws", Upgrade::Required)];
    let mut unread = Bytes::copy_from_slice(bytes);
    let Some(head) = Head::take(&mut unread, &routes, MAX_BYTES) else {
        assert_eq!(unread, bytes, "a request that is not read here is left to hyper whole");
        return;
    };
    assert!(bytes.ends_with(&unread));
    let length = bytes.len() - unread.len();
    let body = body(&head);
    assert!(length - body.len() <= MAX_BYTES && head.headers.len() <= MAX_HEADERS, "{length} bytes");
    for cut in [length - 1, length / 2, usize::from(bytes[length - 1]) % length] {
        let mut part = Bytes::copy_from_slice(&bytes[..cut]);
        let read = Head::take(&mut part, &routes, MAX_BYTES);
        assert!(read.is_none() && part == bytes[..cut], "{cut} of {length} bytes");
    }

    let (parts, same_body) = hyper_request::first(bytes).expect("hyper reads it too");
    assert_eq!((&head.purpose.method(), head.version), (&parts.method, parts.version));
    assert_eq!(Some(&head.target), parts.uri.path_and_query());
    assert_eq!((&head.headers, &body), (&parts.headers, &same_body));

    let mut again = Bytes::from(written(&head));
    let read = Head::take(&mut again, &routes, usize::MAX).expect("what was read can be written");
    assert!(again.is_empty());
    assert_eq!((&read.target, read.version, &read.headers), (&head.target, head.version, &head.headers));
    assert_eq!(self::body(&read), body);
    if let (Purpose::Method(route), Purpose::Method(same)) = (&head.purpose, &read.purpose) {
        assert!(std::ptr::eq(*route, *same) && route.takes(&head.headers) && route.path() == head.target.path());
    }
}

fn route(path: &'static str, upgrade: Upgrade) -> MethodRoute {
    MethodRoute::new(path, upgrade, async |_| {
        Ok::<_, ApiError>(Reply::new(http::StatusCode::OK, Body::default()).into())
    })
}

fn body(head: &Head<'_>) -> Bytes {
    match &head.purpose {
        Purpose::Method(_) => Bytes::new(),
        Purpose::Publication(body) => body.clone(),
    }
}

/// Returns a request in its plainest form.
fn written(head: &Head<'_>) -> Vec<u8> {
    let method: Method = head.purpose.method();
    let mut bytes = format!("{method} {} {:?}\r\n", head.target, head.version).into_bytes();
    for (name, value) in &head.headers {
        bytes.extend([name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"].concat());
    }
    bytes.extend(b"\r\n");
    bytes.extend(body(head));
    bytes
}
