//! A client by WebSocket.

use anyhow::{Context, bail};
use futures_util::StreamExt;
use serde::Deserialize;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::client_async_with_config;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::header::SEC_WEBSOCKET_PROTOCOL;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;

use super::{Client, Notes};
use crate::cuts::events::Gap;
use crate::target::Form;

/// Many clients in one process read, so each reads little at a time.
const READ_BUFFER: usize = 4 * 1024;

/// What the feed says.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum Told {
    Welcome {
        cursor: String,
    },
    Message {
        id: String,
        text: String,
    },
    Gap(Gap),
    #[serde(other)]
    Other,
}

pub(super) async fn session(client: &Client, notes: &mut Notes, began: u64) -> anyhow::Result<()> {
    let stream = timeout(client.idle, TcpStream::connect(client.address)).await??;
    stream.set_nodelay(true)?;
    let mut request = format!("ws://{}{}", client.address, client.path(notes)).into_client_request()?;
    if client.route.form == Form::Meta {
        request.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, "ws+meta.nchan".parse()?);
    }
    let config = WebSocketConfig::default().read_buffer_size(READ_BUFFER);
    let handshake = client_async_with_config(request, stream, Some(config));
    let (mut websocket, _) = timeout(client.idle, handshake).await??;
    notes.joined(began);
    // Pings, which the library answers, end the wait too.
    while let Some(message) = timeout(client.idle, websocket.next()).await.context("no sign of life")? {
        match message? {
            Message::Text(text) => take(client, notes, &text)?,
            Message::Close(_) => break,
            _ => {}
        }
    }
    Ok(())
}

fn take(client: &Client, notes: &mut Notes, text: &str) -> anyhow::Result<()> {
    match client.route.form {
        Form::Push => match serde_json::from_str(text)? {
            Told::Welcome { cursor } => notes.reached(&cursor),
            Told::Message { id, text } => {
                notes.message(&text);
                notes.reached(&id);
            }
            Told::Gap(gap) => {
                let cursor = gap.cursor.clone();
                notes.gap(gap);
                notes.reached(&cursor);
            }
            Told::Other => {}
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
    Ok(())
}
