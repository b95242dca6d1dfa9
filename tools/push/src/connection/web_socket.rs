//! The handshake of a WebSocket (RFC 6455, section 4.1), over the HTTP client that all requests have.

use reqwest::header::{CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE};
use reqwest::{StatusCode, Upgraded, Url};
use tokio_tungstenite::tungstenite::handshake::client::generate_key;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use super::service::Service;
use super::trouble::Trouble;

/// The handshake.
#[derive(Debug)]
pub(crate) struct WebSocket;

impl WebSocket {
    /// Opens a connection that speaks WebSocket.
    pub(crate) async fn open(service: &Service, url: Url) -> Result<Upgraded, Trouble> {
        let key = generate_key();
        let request = service
            .get(url)
            .header(CONNECTION, "Upgrade")
            .header(UPGRADE, "websocket")
            .header(SEC_WEBSOCKET_VERSION, "13")
            .header(SEC_WEBSOCKET_KEY, &key);
        let response = service.send(request).await?;
        let expected = derive_accept_key(key.as_bytes());
        let accept = response.headers().get(SEC_WEBSOCKET_ACCEPT).and_then(|accept| accept.to_str().ok());
        if response.status() != StatusCode::SWITCHING_PROTOCOLS || accept != Some(&expected) {
            let message =
                "the answer is no upgrade to a WebSocket; something in between gave it, or --url names another server";
            return Err(Trouble::Refused { status: response.status(), error: None, message: message.to_owned() });
        }
        response.upgrade().await.map_err(|error| service.unreachable(&error))
    }
}
