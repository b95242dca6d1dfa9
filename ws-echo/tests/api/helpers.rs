//! Starting the service, publishing to it, and WebSockets of a client that we did not write.

use std::net::SocketAddr;

use clap::Parser;
use futures_util::{SinkExt, StreamExt};
use reqwest::Client;
use serde_json::{Value, json};
use testkit::{Server, get, soon};
pub(crate) use testkit::{publish, publish_each};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};
use ws_echo::Config;

/// A text that does not fit between a server and a client that reads nothing, whatever the system buffers.
pub(crate) const HUGE: usize = 6 << 20;

/// What the service is started with where [`HUGE`] texts are published.
pub(crate) const HUGE_ALLOWED: [&str; 6] =
    ["--max-message-bytes", "8MiB", "--max-body-bytes", "8MiB", "--history-bytes", "128MiB"];

/// Starts the service with these flags, and without ticker and heartbeat unless they ask for them.
pub(crate) async fn spawn_app(args: &[&str]) -> Server {
    let mut quiet = vec!["ws-echo"];
    for off in [["--tick", "0"], ["--heartbeat", "1h"]] {
        if !args.contains(&off[0]) {
            quiet.extend(off);
        }
    }
    let config = Config::try_parse_from([&quiet, args].concat()).unwrap();
    Server::start(|listener, stop| ws_echo::run(listener, config, stop)).await
}

/// Publishes texts, appended together, and returns their ids.
pub(crate) async fn publish_array(server: &Server, topic: &str, texts: &[&str]) -> Vec<String> {
    let messages: Value = texts.iter().map(|text| json!({ "text": text })).collect();
    let request = Client::new().post(server.url(&format!("/messages?topic={topic}"))).json(&messages);
    let answer: Vec<Value> = soon(async { request.send().await?.error_for_status()?.json().await }).await.unwrap();
    answer.iter().map(|placed| placed["id"].as_str().unwrap().to_owned()).collect()
}

/// Has the service begin to stop, and waits until it says so.
pub(crate) async fn begin_stop(server: &mut Server) {
    server.begin_stop();
    let draining = async { while !get(server.address(), "/readyz").await.starts_with("HTTP/1.1 503 ") {} };
    soon(draining).await;
}

/// A WebSocket.
pub(crate) struct Ws(pub(crate) WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Ws {
    /// Opens a WebSocket.
    pub(crate) async fn open(server: &Server, path: &str) -> Self {
        Self::open_at(server.address(), path).await
    }

    pub(crate) async fn open_at(address: SocketAddr, path: &str) -> Self {
        Self(soon(connect_async(format!("ws://{address}{path}"))).await.unwrap().0)
    }

    /// Opens a feed and returns the cursor that it begins with.
    pub(crate) async fn feed(server: &Server, path: &str) -> (Self, String) {
        let mut ws = Self::open(server, path).await;
        let welcome = ws.json().await;
        let cursor = welcome["cursor"].as_str().unwrap().to_owned();
        assert_eq!(welcome, json!({ "type": "welcome", "cursor": cursor }));
        (ws, cursor)
    }

    /// Sends a message.
    pub(crate) async fn send(&mut self, message: impl Into<Message>) {
        soon(self.0.send(message.into())).await.unwrap();
    }

    /// Has the feed publish, and returns its answer. No message may come in between.
    pub(crate) async fn say(&mut self, said: Value) -> Value {
        self.send(said.to_string()).await;
        self.json().await
    }

    /// The next message, whatever it is.
    pub(crate) async fn any(&mut self) -> Message {
        soon(self.0.next()).await.expect("the WebSocket goes on").unwrap()
    }

    /// The next message that is neither a ping nor a pong.
    pub(crate) async fn next(&mut self) -> Message {
        let next = async {
            loop {
                match self.any().await {
                    Message::Ping(_) | Message::Pong(_) => {}
                    message => return message,
                }
            }
        };
        soon(next).await
    }

    /// The next message, as the JSON that it is.
    pub(crate) async fn json(&mut self) -> Value {
        match self.next().await {
            Message::Text(text) => serde_json::from_str(&text).unwrap(),
            other => panic!("{other:?}"),
        }
    }

    /// The texts of the next messages of a feed.
    pub(crate) async fn texts(&mut self, count: usize) -> Vec<String> {
        let mut texts = Vec::new();
        for _ in 0..count {
            let message = self.json().await;
            assert_eq!(message["type"], "message", "{message}");
            texts.push(message["text"].as_str().unwrap().to_owned());
        }
        texts
    }

    /// The close frame that the service sends next, and the end of the connection after it.
    pub(crate) async fn closed(&mut self) -> Option<CloseFrame> {
        let Message::Close(frame) = self.next().await else { panic!("it goes on") };
        while let Some(Ok(_)) = soon(self.0.next()).await {}
        frame
    }

    /// As [`Ws::closed`], for the code alone.
    pub(crate) async fn close_code(&mut self) -> u16 {
        self.closed().await.expect("it says why").code.into()
    }
}
