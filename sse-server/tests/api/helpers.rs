//! Starting the service, publishing to it, and following it with a client that we did not write.

use std::pin::Pin;

use clap::Parser;
use eventsource_stream::{Event, Eventsource};
use futures_util::{Stream, StreamExt};
use reqwest::{Client, RequestBuilder, Response};
use serde_json::{Value, json};
use sse_server::Config;
use testkit::{RawClient, Server, soon};
pub(crate) use testkit::{publish, publish_each};

/// A text that does not fit between a server and a client that reads nothing, whatever the system buffers.
pub(crate) const HUGE: usize = 6 << 20;

/// What the service is started with where [`HUGE`] texts are published.
pub(crate) const HUGE_ALLOWED: [&str; 6] =
    ["--max-message-bytes", "8MiB", "--max-body-bytes", "8MiB", "--history-bytes", "128MiB"];

/// Starts the service with these flags, and without ticker and heartbeat unless they ask for them.
pub(crate) async fn spawn_app(args: &[&str]) -> Server {
    let mut quiet = vec!["sse-server"];
    for off in [["--tick", "0"], ["--heartbeat", "1h"]] {
        if !args.contains(&off[0]) {
            quiet.extend(off);
        }
    }
    let config = Config::try_parse_from([&quiet, args].concat()).unwrap();
    Server::start(|listener, stop| sse_server::run(listener, config, stop)).await
}

/// Publishes messages, appended together, and returns their ids.
pub(crate) async fn publish_array(server: &Server, topic: &str, messages: &Value) -> Vec<String> {
    let request = Client::new().post(server.url(&format!("/messages?topic={topic}"))).json(messages);
    let answer: Vec<Value> = soon(async { request.send().await?.error_for_status()?.json().await }).await.unwrap();
    answer.iter().map(|placed| placed["id"].as_str().unwrap().to_owned()).collect()
}

/// Texts as an array of messages.
pub(crate) fn messages(texts: &[&str]) -> Value {
    texts.iter().map(|text| json!({ "text": text })).collect()
}

/// The events of one stream, as a client dispatches them.
pub(crate) struct Events(Pin<Box<dyn Stream<Item = Event> + Send>>);

impl Events {
    /// Opens a stream. The client is subscribed once this returns.
    pub(crate) async fn open(server: &Server, path: &str) -> Self {
        Self::follow(Client::new().get(server.url(path))).await
    }

    /// Opens a stream as a browser does that comes back.
    pub(crate) async fn resume(server: &Server, path: &str, last_event_id: &str) -> Self {
        Self::follow(Client::new().get(server.url(path)).header("Last-Event-ID", last_event_id)).await
    }

    pub(crate) async fn follow(request: RequestBuilder) -> Self {
        let response = soon(request.send()).await.unwrap();
        assert_eq!(response.status(), 200);
        let events = response.bytes_stream().eventsource();
        // A stream that is cut off has ended as one that is closed.
        Self(Box::pin(events.take_while(|event| std::future::ready(event.is_ok())).map(Result::unwrap)))
    }

    /// The next event.
    pub(crate) async fn next(&mut self) -> Event {
        soon(self.0.next()).await.expect("the stream goes on")
    }

    /// The data of the next events.
    pub(crate) async fn texts(&mut self, count: usize) -> Vec<String> {
        let mut texts = Vec::new();
        for _ in 0..count {
            texts.push(self.next().await.data);
        }
        texts
    }

    /// The data of all events until the server ends the stream.
    pub(crate) async fn rest(self) -> Vec<String> {
        soon(self.0.map(|event| event.data).collect()).await
    }
}

/// Opens a stream and returns its first block, the one that dispatches nothing. The client is subscribed then.
pub(crate) async fn open_raw(server: &Server, path: &str) -> (RawClient, String) {
    let mut client = RawClient::connect(server.address()).await;
    client.send(format!("GET {path} HTTP/1.1\r\nhost: test\r\n\r\n")).await;
    let head = client.read_until("\r\n\r\n").await;
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    let first = client.read_until("\n\n").await;
    (client, first)
}

/// The value of a field in a block of a stream.
pub(crate) fn field<'a>(block: &'a str, name: &str) -> Option<&'a str> {
    block.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}

/// Checks that an answer is a refusal that a program and a person can read.
#[track_caller]
pub(crate) fn assert_refusal(status: u16, content_type: &str, body: &Value, expected: (u16, &str)) {
    assert_eq!((status, body["error"].as_str().unwrap_or_default()), expected, "{body}");
    assert_eq!(content_type, "application/json");
    assert!(body["message"].as_str().is_some_and(|message| !message.is_empty()), "{body}");
}

/// As [`assert_refusal`], for an answer that is still to be read.
pub(crate) async fn assert_refused(response: Response, expected: (u16, &str)) {
    let content_type = response.headers()["content-type"].to_str().unwrap().to_owned();
    let status = response.status().as_u16();
    assert_refusal(status, &content_type, &soon(response.json()).await.unwrap(), expected);
}
