//! push.js, the client library for browsers, as `build.rs` joins it of its modules.

use std::sync::LazyLock;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_LOCATION, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use http::{HeaderMap, StatusCode};
use ring::digest::{SHA256, digest};
use warp::Filter;
use warp::reply::Response;

use super::route::{Route, Upgrade};
use crate::reply::{Body, Reply};
use crate::request::Request;

const CONTENT: &str = include_str!(concat!(env!("OUT_DIR"), "/push.js"));

/// The number of bytes of the digest in the name: enough that no two versions have the same one.
const NAME_BYTES: usize = 12;

/// The names of a version of the library.
struct Version {
    /// The path at which there is this version and no other one, ever.
    path: String,
    etag: String,
}

static VERSION: LazyLock<Version> = LazyLock::new(|| {
    let digest = digest(&SHA256, CONTENT.as_bytes());
    let name = URL_SAFE_NO_PAD.encode(&digest.as_ref()[..NAME_BYTES]);
    Version { path: format!("/push-{name}.js"), etag: format!("\"{name}\"") }
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
    let known = headers.get_all(IF_NONE_MATCH).iter().filter_map(|line| line.to_str().ok());
    let is_known =
        known.flat_map(|line| line.split(',')).any(|tag| tag.trim().trim_start_matches("W/") == VERSION.etag);
    let reply = if is_known { Reply::empty(StatusCode::NOT_MODIFIED) } else { whole() };
    reply.with(CACHE_CONTROL, "no-cache").with(ETAG, &VERSION.etag).with(CONTENT_LOCATION, &VERSION.path).into()
}

fn whole() -> Reply {
    let body = Body::from_iter([Bytes::from_static(CONTENT.as_bytes())]);
    Reply::new(StatusCode::OK, body).with(CONTENT_TYPE, "text/javascript; charset=utf-8")
}
