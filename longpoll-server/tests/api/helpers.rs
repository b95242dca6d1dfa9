//! Starting the service, publishing to it, and polling it.

use clap::Parser;
use longpoll_server::Config;
use reqwest::{Client, Response};
use serde_json::{Value, json};
use testkit::{RawClient, Server, get, soon};
pub(crate) use testkit::{publish, publish_each};

/// A text that does not fit between a server and a client that reads nothing, whatever the system buffers.
pub(crate) const HUGE: usize = 6 << 20;

/// What the service is started with where [`HUGE`] texts are published.
pub(crate) const HUGE_ALLOWED: [&str; 6] =
    ["--max-message-bytes", "8MiB", "--max-body-bytes", "8MiB", "--history-bytes", "128MiB"];

/// Starts the service with these flags, and without a ticker unless they ask for one.
pub(crate) async fn spawn_app(args: &[&str]) -> Server {
    let quiet: &[&str] = if args.contains(&"--tick") { &[] } else { &["--tick", "0"] };
    let config = Config::try_parse_from([&["longpoll-server"], quiet, args].concat()).unwrap();
    Server::start(|listener, stop| longpoll_server::run(listener, config, stop)).await
}

/// Publishes texts, appended together, and returns their ids.
pub(crate) async fn publish_array(server: &Server, topic: &str, texts: &[&str]) -> Vec<String> {
    let messages: Value = texts.iter().map(|text| json!({ "text": text })).collect();
    let request = Client::new().post(server.url(&format!("/messages?topic={topic}"))).json(&messages);
    let answer: Vec<Value> = soon(async { request.send().await?.error_for_status()?.json().await }).await.unwrap();
    answer.iter().map(|placed| placed["id"].as_str().unwrap().to_owned()).collect()
}

/// Polls, on a connection of its own.
pub(crate) async fn ask(server: &Server, query: &str) -> Response {
    soon(Client::new().get(server.url(&format!("/poll?{query}"))).send()).await.unwrap()
}

/// Polls for a page, or for one message where the query has no `since`.
pub(crate) async fn poll(server: &Server, query: &str) -> Value {
    let response = ask(server, query).await;
    assert_eq!(response.status(), 200, "{query}");
    assert_eq!(response.headers()["content-type"], "application/json");
    soon(response.json()).await.unwrap()
}

/// Checks that nothing is queued.
pub(crate) async fn assert_nothing_queued(server: &Server) {
    assert_eq!(ask(server, "wait=0").await.status(), 204);
}

/// The texts of a page, in order.
pub(crate) fn texts(page: &Value) -> Vec<&str> {
    page["messages"].as_array().unwrap().iter().map(|message| message["text"].as_str().unwrap()).collect()
}

/// The cursor of a page.
pub(crate) fn cursor(page: &Value) -> &str {
    page["cursor"].as_str().unwrap()
}

/// Sends a poll, and returns once the service has taken it up: the service runs in the one thread of the test, and what
/// reaches it earlier it does earlier.
pub(crate) async fn hold(server: &Server, query: &str) -> RawClient {
    let mut client = RawClient::connect(server.address()).await;
    client.send(format!("GET /poll?{query} HTTP/1.1\r\nhost: test\r\n\r\n")).await;
    settle(server).await;
    client
}

/// Waits until the service has noticed all that its clients have done so far; see [`hold`].
pub(crate) async fn settle(server: &Server) {
    assert!(get(server.address(), "/livez").await.starts_with("HTTP/1.1 200 "));
}

/// An answer as it was sent.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    head: String,
    body: String,
}

impl Answer {
    /// Reads the next answer of a connection.
    pub(crate) async fn read(client: &mut RawClient) -> Self {
        let head = client.read_until("\r\n\r\n").await;
        let status = head.strip_prefix("HTTP/1.").and_then(|rest| rest[2..5].parse().ok()).expect("a status line");
        let mut answer = Self { status, head, body: String::new() };
        let length = answer.header("content-length").map_or(0, |length| length.parse().unwrap());
        answer.body = String::from_utf8(client.read_exact(length).await).unwrap();
        answer
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.head.lines().filter_map(|line| line.split_once(": "));
        headers.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// Checks that an answer is a refusal that a program and a person can read.
pub(crate) async fn assert_refused(response: Response, status: u16, error: &str) {
    assert_eq!(response.headers()["content-type"], "application/json");
    let got = response.status().as_u16();
    let body: Value = soon(response.json()).await.unwrap();
    assert_eq!((got, body["error"].as_str().unwrap_or_default()), (status, error), "{body}");
    assert!(body["message"].as_str().is_some_and(|message| !message.is_empty()), "{body}");
}
