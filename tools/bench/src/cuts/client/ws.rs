//! A connection by WebSocket.

use anyhow::{Context, bail};
use futures_util::{SinkExt, StreamExt};
use serde::Deserialize;
use serde_json::json;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::client_async_with_config;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::header::{AUTHORIZATION, SEC_WEBSOCKET_PROTOCOL};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;

use super::endpoint::Endpoint;
use super::notes::Notes;
use crate::cuts::events::Gap;
use crate::target::Form;

/// Small, because one process has many clients.
const READ_BUFFER: usize = 4 * 1024;

/// A message of the feed.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum FeedMessage {
    Welcome {
        cursor: String,
    },
    Message {
        id: String,
        text: String,
    },
    Gap(Gap),
    #[serde(rename = "token_expiring")]
    TokenExpiring,
    Token,
    #[serde(other)]
    Other,
}

pub(super) async fn session(endpoint: &Endpoint, notes: &mut Notes, began: u64) -> anyhow::Result<()> {
    let stream = timeout(endpoint.idle, TcpStream::connect(endpoint.address)).await??;
    stream.set_nodelay(true)?;
    let mut request = format!("ws://{}{}", endpoint.address, endpoint.path(notes)).into_client_request()?;
    if let Some(token) = endpoint.token(notes) {
        request.headers_mut().insert(AUTHORIZATION, format!("Bearer {token}").parse()?);
    }
    if endpoint.route.form == Form::Meta {
        request.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, "ws+meta.nchan".parse()?);
    }
    let config = WebSocketConfig::default().read_buffer_size(READ_BUFFER);
    let handshake = client_async_with_config(request, stream, Some(config));
    let (mut websocket, _) = timeout(endpoint.idle, handshake).await??;
    notes.joined(began);
    // Pings, which the library answers, end the wait too.
    while let Some(message) = timeout(endpoint.idle, websocket.next()).await.context("no byte in time")? {
        match message? {
            Message::Text(text) => {
                if let Some(answer) = take(endpoint, notes, &text)? {
                    websocket.send(answer.into()).await?;
                }
            }
            Message::Close(_) => break,
            _ => {}
        }
    }
    Ok(())
}

/// Takes a message, and returns what it is answered with.
fn take(endpoint: &Endpoint, notes: &mut Notes, text: &str) -> anyhow::Result<Option<String>> {
    match endpoint.route.form {
        Form::Push => match serde_json::from_str(text)? {
            FeedMessage::Welcome { cursor } => notes.reached(&cursor),
            FeedMessage::Message { id, text } => {
                notes.message(&text);
                notes.reached(&id);
            }
            FeedMessage::Gap(gap) => {
                let cursor = gap.cursor.clone();
                notes.gap(gap);
                notes.reached(&cursor);
            }
            FeedMessage::TokenExpiring => {
                let token = endpoint.token(notes);
                return Ok(token.map(|token| json!({ "type": "token", "token": token }).to_string()));
            }
            FeedMessage::Token => notes.renewed(),
            FeedMessage::Other => {}
        },
        Form::Text => notes.message(text),
        Form::Meta => {
            let Some((head, text)) = text.split_once("\n\n") else { bail!("a message without a head") };
            notes.message(text);
            if let Some(id) = head.lines().find_map(|line| line.strip_prefix("id: ")) {
                notes.reached(id);
            }
        }
    }
    Ok(None)
}
