//! Starting the service, publishing to it, and polling it.

use std::collections::VecDeque;
use std::net::SocketAddr;

use clap::Parser;
use longpoll_server::Config;
use reqwest::{RequestBuilder, Response};
use serde_json::Value;
use testkit::{Follower, RawClient, Received, Server, Service, ServiceProgram, client, get, soon};

/// The service, for the tests that are the same for every service.
pub(crate) struct LongPolling;

impl Service for LongPolling {
    const PROGRAM: ServiceProgram = ServiceProgram {
        path: env!("CARGO_BIN_EXE_longpoll-server"),
        name: "longpoll-server",
        version: env!("CARGO_PKG_VERSION"),
        own_flags: &["--hold"],
    };

    type Follower = Poller;

    async fn start(flags: &[&str]) -> Server {
        spawn_app(flags).await
    }

    fn request(address: SocketAddr, query: &str) -> RequestBuilder {
        client().get(format!("http://{address}/poll?{query}"))
    }

    async fn follow(address: SocketAddr, query: &str) -> Poller {
        let (since, query): (Vec<_>, Vec<_>) = query.split('&').partition(|pair| pair.starts_with("since="));
        let query = query.join("&");
        let since = match since[..] {
            [] => Self::position(address, &query, "now").await,
            [since, ..] => since["since=".len()..].to_owned(),
        };
        Poller { address, query, since, received: VecDeque::new() }
    }

    /// A cursor that was given is the position until the first answer.
    async fn position(address: SocketAddr, topics: &str, since: &str) -> String {
        if since != "now" {
            return since.to_owned();
        }
        let page = soon(Self::request(address, &format!("{topics}&since=now&wait=0")).send()).await.unwrap();
        cursor(&soon(page.json()).await.unwrap()).to_owned()
    }

    async fn hold(server: &Server) -> RawClient {
        hold(server, "since=now").await
    }
}

/// A client that polls, each time from the cursor of the answer before.
pub(crate) struct Poller {
    address: SocketAddr,
    query: String,
    since: String,
    /// The part of the last page that has not been taken.
    received: VecDeque<Received>,
}

impl Follower for Poller {
    async fn next(&mut self) -> Received {
        loop {
            if let Some(received) = self.received.pop_front() {
                return received;
            }
            let request = LongPolling::request(self.address, &format!("{}&since={}", self.query, self.since));
            let page = soon(async { request.send().await?.error_for_status()?.json::<Value>().await }).await.unwrap();
            let field = |value: &Value, name: &str| value[name].as_str().unwrap().to_owned();
            let gap = Some(&page["gap"]).filter(|gap| !gap.is_null());
            self.received.extend(
                gap.map(|gap| Received::gap(&field(gap, "reason"), &field(gap, "since"), &field(gap, "cursor"))),
            );
            let messages = page["messages"].as_array().unwrap();
            self.received.extend(
                messages.iter().map(|message| Received::message(&field(message, "id"), &field(message, "text"))),
            );
            self.since = cursor(&page).to_owned();
        }
    }
}

/// Starts the service with these flags, and without a ticker unless they ask for one.
pub(crate) async fn spawn_app(args: &[&str]) -> Server {
    let quiet: &[&str] = if args.contains(&"--tick") { &[] } else { &["--tick", "0"] };
    let config = Config::try_parse_from([&["longpoll-server"], quiet, args].concat()).unwrap();
    Server::start(|listener, stop| longpoll_server::run(listener, config, stop)).await
}

/// Polls, on a connection of its own.
pub(crate) async fn ask(server: &Server, query: &str) -> Response {
    soon(LongPolling::request(server.address(), query).send()).await.unwrap()
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
