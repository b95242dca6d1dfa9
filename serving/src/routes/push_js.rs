//! push.js, the client library for browsers, as `build.rs` joins it of its modules.

use std::sync::LazyLock;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_LOCATION, CONTENT_TYPE, ETAG};
use http::{HeaderMap, StatusCode};
use warp::Filter;
use warp::reply::Response;

use super::route::{Route, Upgrade};
use crate::entity_tag::EntityTag;
use crate::reply::{Body, Reply};
use crate::request::Request;

const CONTENT: &str = include_str!(concat!(env!("OUT_DIR"), "/push.js"));

/// The names of a version of the library.
struct Version {
    /// The path at which there is this version and no other one, ever.
    path: String,
    tag: EntityTag,
}

static VERSION: LazyLock<Version> = LazyLock::new(|| {
    let tag = EntityTag::of(CONTENT);
    Version { path: format!("/push-{}.js", tag.name()), tag }
});

/// The library at `/push.js`, where a new version of the service has a new one.
pub(super) fn newest() -> Route {
    Route::new("/push.js", "GET, HEAD", Upgrade::Refused, |requests| {
        requests.map(|request: Request| answer(&request.headers)).boxed()
    })
}

/// The same under the name of its content, which `/push.js` names by `Content-Location`, for those who keep it (RFC 9110, section 8.7, and RFC
/// 8246).
pub(super) fn version() -> Route {
    Route::new(&VERSION.path, "GET, HEAD", Upgrade::Refused, |requests| {
        requests.map(|_| whole().with(CACHE_CONTROL, "public, max-age=31536000, immutable").into()).boxed()
    })
}

fn answer(headers: &HeaderMap) -> Response {
    let Version { path, tag } = &*VERSION;
    let reply = if tag.is_kept(headers) { Reply::empty(StatusCode::NOT_MODIFIED) } else { whole() };
    reply.with(CACHE_CONTROL, "no-cache").with(ETAG, tag.as_str()).with(CONTENT_LOCATION, path).into()
}

fn whole() -> Reply {
    let body = Body::from_iter([Bytes::from_static(CONTENT.as_bytes())]);
    Reply::new(StatusCode::OK, body).with(CONTENT_TYPE, "text/javascript; charset=utf-8")
}
