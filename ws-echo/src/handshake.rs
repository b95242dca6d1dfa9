//! The handshake that makes a connection a WebSocket (RFC 6455, section 4.2).

use serving::error::ApiError;
use serving::request::Request;
use tokio_tungstenite::tungstenite::Error;
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::handshake::server::create_response;
use warp::http::header::{CONNECTION, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE};
use warp::http::{self, HeaderMap, HeaderName, HeaderValue};

/// The subprotocol of both, the feed and the echo, for clients that can send a token in no other way than as a second one.
const SUBPROTOCOL: &str = "push";

/// The headers that are lists, and the token of a WebSocket in each.
const LISTS: [(HeaderName, &str); 2] = [(CONNECTION, "upgrade"), (UPGRADE, "websocket")];

/// Returns the headers of the answer.
///
/// # Errors
/// [`ApiError::BadHandshake`] and [`ApiError::UpgradeRequired`].
pub(crate) fn handshake(request: &Request) -> Result<HeaderMap, ApiError> {
    let subprotocol = subprotocol(request)?;
    let mut response = create_response(&normalised(request)?).map_err(|error| match error {
        Error::Protocol(ProtocolError::MissingSecWebSocketVersionHeader) => ApiError::UpgradeRequired,
        error => ApiError::BadHandshake(error.to_string()),
    })?;
    let mut headers = std::mem::take(response.headers_mut());
    if let Some(subprotocol) = subprotocol {
        headers.insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(subprotocol));
    }
    Ok(headers)
}

/// Returns the subprotocol that is chosen of those that the client offers, if there is one (RFC 6455, section 4.2.2). A browser
/// closes a WebSocket for which none of them is.
fn subprotocol(request: &Request) -> Result<Option<&'static str>, ApiError> {
    let lines = request.headers.get_all(SEC_WEBSOCKET_PROTOCOL).iter().filter_map(|line| line.to_str().ok());
    let offered: Vec<_> = lines.flat_map(|line| line.split(',')).map(str::trim).collect();
    if offered.contains(&SUBPROTOCOL) {
        return Ok(Some(SUBPROTOCOL));
    }
    if offered.iter().any(|name| name.starts_with("push.token.")) {
        let problem = "the subprotocol of a token is offered without `push`, which is the one that can be chosen";
        return Err(ApiError::BadHandshake(problem.to_owned()));
    }
    Ok(None)
}

/// Returns the request with its lists as tungstenite reads them, which takes the first line for the whole list, and an upgrade for
/// the only one.
fn normalised(request: &Request) -> Result<http::Request<()>, ApiError> {
    let mut head = http::Request::new(());
    *head.version_mut() = request.version();
    let headers = head.headers_mut();
    for (name, token) in LISTS {
        if request.has_token(name.clone(), token) {
            headers.insert(name, HeaderValue::from_static(token));
        }
    }
    for name in [SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION] {
        let mut values = request.headers.get_all(&name).iter();
        if let Some(value) = values.next() {
            headers.insert(name.clone(), value.clone());
        }
        if values.next().is_some() {
            return Err(ApiError::BadHandshake(format!("several {name} headers")));
        }
    }
    Ok(head)
}
