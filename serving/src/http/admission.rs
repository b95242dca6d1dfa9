//! Who is let in. Every request passes here before any route sees it.

use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD, ORIGIN, VARY,
    X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use warp::reply::Response;

use super::error::ApiError;
use super::request::is_websocket_upgrade;
use crate::app::App;

/// What is known of a connection before its first request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Room {
    /// It is one of `--max-connections`.
    Taken,
    /// It is beyond them, and served only to be told so.
    None,
}

/// The headers that every answer to a request carries.
#[derive(Debug, Clone, Default)]
pub(super) struct SharedHeaders {
    /// The answer differs from origin to origin.
    varies: bool,
    /// The origin, or `*`, whose pages may read the answer.
    allowed: Option<HeaderValue>,
}

impl SharedHeaders {
    pub(super) fn each(&self, mut put: impl FnMut(HeaderName, HeaderValue)) {
        put(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        if self.varies {
            // Even where there is no origin, so that no cache takes this answer for one to another.
            put(VARY, HeaderValue::from_static("origin"));
        }
        if let Some(allowed) = &self.allowed {
            put(ACCESS_CONTROL_ALLOW_ORIGIN, allowed.clone());
            put(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("*"));
        }
    }
}

/// The headers that every answer to a request carries, and the answer itself if the request is not let in.
pub(super) fn admit(
    app: &App,
    method: &Method,
    path: &str,
    headers: &HeaderMap,
    room: Room,
) -> (SharedHeaders, Option<Response>) {
    let mut shared = SharedHeaders { varies: !any_origin(app), allowed: None };
    if let Some(origin) = headers.get(ORIGIN) {
        shared.allowed = allowed_origin(app, origin);
        if shared.allowed.is_none() {
            return (shared, Some(ApiError::OriginNotAllowed.response()));
        }
        if *method == Method::OPTIONS && headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD) {
            return (shared, Some(preflight()));
        }
    }
    // A health check asks about the process, which is well when it is full. A WebSocket client is told after the
    // handshake, since a page cannot read the status of one that failed.
    let full = room == Room::None && !matches!(path, "/livez" | "/readyz") && !is_websocket_upgrade(headers);
    (shared, full.then(|| ApiError::Full.response()))
}

fn any_origin(app: &App) -> bool {
    app.config.input.allow_origin.iter().any(|allowed| allowed == "*")
}

/// The value of `Access-Control-Allow-Origin` (WHATWG Fetch, section 3.3.3), if the origin is allowed.
fn allowed_origin(app: &App, origin: &HeaderValue) -> Option<HeaderValue> {
    if any_origin(app) {
        return Some(HeaderValue::from_static("*"));
    }
    let allowed = &app.config.input.allow_origin;
    allowed.iter().any(|allowed| allowed.as_bytes() == origin.as_bytes()).then(|| origin.clone())
}

/// The answer to a browser that asks whether it may ask (WHATWG Fetch, section 3.3.3).
fn preflight() -> Response {
    let mut response = Response::default();
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, POST"));
    headers.insert(
        ACCESS_CONTROL_ALLOW_HEADERS,
        HeaderValue::from_static("authorization, content-type, idempotency-key, last-event-id"),
    );
    headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
    response
}
