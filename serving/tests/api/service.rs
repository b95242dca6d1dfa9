//! A bare service, with nothing but the common routes, and its clients.

use std::net::SocketAddr;
use std::sync::Arc;

use clap::Parser;
use serving::access::Access;
use serving::app::{App, ConfigError};
use serving::config::CommonConfig;
use serving::metrics::Method;
use serving::routes::{MethodRoute, Routes};
use serving::server::serve;
use shared::backplane::Memory;
use shared::cursor::Position;
use shared::hub::BatchLimit;
use testkit::{RawClient, Server, soon};

use crate::answer::Answer;

#[derive(Parser)]
struct Flags {
    #[command(flatten)]
    common: CommonConfig,
}

/// The configuration that flags make, without the ticker.
pub(crate) fn config(flags: &[&str]) -> CommonConfig {
    Flags::parse_from(["service", "--tick", "0"].iter().chain(flags)).common
}

/// A service with a history in memory.
///
/// # Errors
/// When flags contradict each other.
pub(crate) fn app(flags: &[&str]) -> Result<Arc<App>, ConfigError> {
    let config = config(flags);
    let (memory, hub) = Memory::new(config.history.limits(), config.history.idempotency_keys);
    App::new(config, Method::ServerSentEvents, Arc::new(memory), hub)
}

/// A running service.
pub(crate) struct Service {
    pub(crate) server: Server,
    pub(crate) app: Arc<App>,
    pub(crate) client: reqwest::Client,
}

impl Service {
    pub(crate) async fn start(flags: &[&str]) -> Self {
        Self::start_with(flags, vec![]).await
    }

    /// As [`Service::start`], with routes of a method.
    pub(crate) async fn start_with(flags: &[&str], of_method: Vec<MethodRoute>) -> Self {
        let app = app(flags).unwrap();
        let (served, routes) = (Arc::clone(&app), Routes::new(&app, of_method, &[], None));
        let server = Server::start(|listener, stop| serve(listener, served, routes, String::new(), stop)).await;
        let client = testkit::client();
        Self { server, app, client }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.server.address()
    }

    pub(crate) async fn connect(&self) -> RawClient {
        RawClient::connect(self.address()).await
    }

    /// `GET` by a well-behaved client.
    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(self.client.get(self.server.url(path))).await
    }

    /// `POST /messages` by a well-behaved client. `query` begins with `?` or is empty.
    pub(crate) async fn post(&self, query: &str, content_type: &str, body: impl Into<reqwest::Body>) -> Answer {
        self.send(self.posting(query).header("content-type", content_type).body(body)).await
    }

    pub(crate) fn posting(&self, query: &str) -> reqwest::RequestBuilder {
        self.client.post(self.server.url(&format!("/messages{query}")))
    }

    pub(crate) async fn send(&self, request: reqwest::RequestBuilder) -> Answer {
        soon(async { Answer::of(request.send().await.unwrap()).await }).await
    }

    /// Publishes a text that has to be taken, and returns its id.
    pub(crate) async fn publish(&self, topic: &str, text: &str) -> String {
        let answer = self.post(&format!("?topic={topic}"), "text/plain", text.to_owned()).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        answer.text("id")
    }

    /// Sends bytes on a connection of their own, and returns the answer. The service has to close the connection.
    pub(crate) async fn raw(&self, bytes: impl AsRef<[u8]>) -> Answer {
        let mut client = self.connect().await;
        client.send(bytes).await;
        Answer::parse(&client.read_to_end().await)
    }

    /// Sends a request without a body, and returns the answer. `headers` is empty, or lines that end with `\r\n`.
    pub(crate) async fn ask(&self, request: &str, headers: &str) -> Answer {
        self.raw(format!("{request} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n{headers}\r\n")).await
    }

    /// Publishes any bytes with any headers, and returns the answer.
    pub(crate) async fn ask_post(&self, headers: &str, body: &[u8]) -> Answer {
        let length = body.len();
        let head = "POST /messages HTTP/1.1\r\nhost: test\r\nconnection: close\r\n";
        let head = format!("{head}content-length: {length}\r\n{headers}\r\n");
        self.raw([head.as_bytes(), body].concat()).await
    }

    /// The service goes on serving.
    pub(crate) async fn assert_serving(&self) {
        let answer = self.ask("GET /livez", "").await;
        assert_eq!((answer.status, answer.body.as_str()), (200, r#"{"status":"live"}"#));
    }

    /// The texts that the history of a topic holds, read without the network.
    pub(crate) fn held(&self, topic: &str) -> Vec<String> {
        let mut subscriber =
            self.app.subscribe_in_memory(&[topic.parse().unwrap()], Position::Earliest, &Access::EVERYTHING).unwrap();
        let batch = subscriber.read(&serving::page::JSON, BatchLimit { messages: usize::MAX, bytes: usize::MAX });
        batch.entries.iter().map(|entry| entry.message.text.to_string()).collect()
    }
}
