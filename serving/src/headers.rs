//! Header fields that are lists of tokens.

use http::header::UPGRADE;
use http::{HeaderMap, HeaderName};

/// Returns whether a request asks to become a WebSocket (RFC 6455, section 4.2.1). Other upgrades are ignored, as RFC 9110
/// allows.
pub(crate) fn is_websocket_upgrade(headers: &HeaderMap) -> bool {
    has_token(headers, UPGRADE, "websocket")
}

/// Returns whether a list has a token, in any case and on any of its lines.
pub(crate) fn has_token(headers: &HeaderMap, name: HeaderName, token: &str) -> bool {
    let mut values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values.any(|value| value.split(',').any(|part| part.trim().eq_ignore_ascii_case(token)))
}
