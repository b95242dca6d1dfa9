//! Starting the service, publishing to it, and WebSockets of a client that we did not write.

use std::net::SocketAddr;

use clap::Parser;
use futures_util::{SinkExt, StreamExt};
use reqwest::RequestBuilder;
use serde_json::{Value, json};
use testkit::{Follower, RawClient, Received, Server, Service, ServiceProgram, Streaming, client, soon};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};
use ws_echo::Config;

use crate::raw;

/// The service with its feed, for the tests that are the same for every service.
pub(crate) struct Feed;

impl Service for Feed {
    const PROGRAM: ServiceProgram = ServiceProgram {
        path: env!("CARGO_BIN_EXE_ws-echo"),
        name: "ws-echo",
        version: env!("CARGO_PKG_VERSION"),
        own_flags: &["--reply-prefix"],
    };

    type Follower = Ws;

    async fn start(flags: &[&str]) -> Server {
        spawn_app(flags).await
    }

    fn request(address: SocketAddr, query: &str) -> RequestBuilder {
        client()
            .get(format!("http://{address}/feed?{query}"))
            .header("Connection", "Upgrade")
            .header("Upgrade", "websocket")
            .header("Sec-WebSocket-Version", "13")
            .header("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")
    }

    async fn follow(address: SocketAddr, query: &str) -> Ws {
        Ws::feed(address, &format!("/feed?{query}")).await.0
    }

    async fn position(address: SocketAddr, topics: &str, since: &str) -> String {
        Ws::feed(address, &format!("/feed?{topics}&since={since}")).await.1
    }

    async fn hold(server: &Server) -> RawClient {
        let mut client = raw::open(server.address(), "/feed").await;
        raw::read_frame(&mut client).await;
        client
    }
}

impl Streaming for Feed {
    async fn rest(mut feed: Ws) -> Vec<String> {
        let mut texts = Vec::new();
        loop {
            match feed.message().await {
                Message::Text(text) => texts.push(text_of(received(&serde_json::from_str(&text).unwrap()))),
                Message::Close(frame) => {
                    assert_eq!(u16::from(frame.expect("the service gives its reason").code), 1012);
                    feed.end().await;
                    return texts;
                }
                other => panic!("{other:?}"),
            }
        }
    }

    async fn read(client: &mut RawClient) -> Received {
        let (_, payload) = raw::read_frame(client).await;
        received(&serde_json::from_slice(&payload).unwrap())
    }
}

/// A frame of the feed, as the message or the gap that it is.
fn received(frame: &Value) -> Received {
    let field = |name: &str| frame[name].as_str().unwrap_or_else(|| panic!("no {name} in {frame}"));
    match field("type") {
        "message" => Received::message(field("id"), field("text")),
        "gap" => {
            let (reason, since, cursor) = (field("reason"), field("since"), field("cursor"));
            assert_eq!(*frame, json!({ "type": "gap", "reason": reason, "since": since, "cursor": cursor }));
            Received::gap(reason, since, cursor)
        }
        other => panic!("{other}: {frame}"),
    }
}

fn text_of(received: Received) -> String {
    match received {
        Received::Message { text, .. } => text,
        gap @ Received::Gap { .. } => panic!("{gap:?}"),
    }
}

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
    pub(crate) async fn feed(address: SocketAddr, path: &str) -> (Self, String) {
        let mut ws = Self::open_at(address, path).await;
        let welcome = ws.json().await;
        let cursor = welcome["cursor"].as_str().unwrap().to_owned();
        assert_eq!(welcome, json!({ "type": "welcome", "cursor": cursor }));
        (ws, cursor)
    }

    /// Sends a message.
    pub(crate) async fn send(&mut self, message: impl Into<Message>) {
        soon(self.0.send(message.into())).await.unwrap();
    }

    /// Sends a frame to the feed and returns its answer. No message may come in between.
    pub(crate) async fn ask(&mut self, frame: Value) -> Value {
        self.send(frame.to_string()).await;
        self.json().await
    }

    /// The next message, whatever it is.
    pub(crate) async fn any(&mut self) -> Message {
        soon(self.0.next()).await.expect("the WebSocket goes on").unwrap()
    }

    /// The next message that is neither a ping nor a pong.
    pub(crate) async fn message(&mut self) -> Message {
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
        match self.message().await {
            Message::Text(text) => serde_json::from_str(&text).unwrap(),
            other => panic!("{other:?}"),
        }
    }

    /// The close frame that the service sends next, and the end of the connection after it.
    pub(crate) async fn closed(&mut self) -> Option<CloseFrame> {
        let Message::Close(frame) = self.message().await else { panic!("it goes on") };
        self.end().await;
        frame
    }

    /// Waits until the connection has ended.
    async fn end(&mut self) {
        while let Some(Ok(_)) = soon(self.0.next()).await {}
    }

    /// The code of the close frame that the service sends next.
    pub(crate) async fn close_code(&mut self) -> u16 {
        self.closed().await.expect("a close frame has a code").code.into()
    }
}

impl Follower for Ws {
    async fn next(&mut self) -> Received {
        received(&self.json().await)
    }
}
