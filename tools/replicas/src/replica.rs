//! A service that shares its history.

use std::net::SocketAddr;
use std::time::Duration;

use clap::Parser;
use reqwest::RequestBuilder;
use serde_json::Value;
use testkit::{Server, client, soon};

/// The method by which a service serves its clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// WebSocket, by `ws-echo`.
    WebSocket,
    /// Long polling, by `longpoll-server`.
    LongPoll,
    /// Server-Sent Events, by `sse-server`.
    EventStream,
}

impl Method {
    /// All three.
    pub const ALL: [Self; 3] = [Self::WebSocket, Self::LongPoll, Self::EventStream];
}

/// A service in this process.
#[derive(Debug)]
pub struct Replica {
    /// The service.
    pub server: Server,
    /// Its method.
    pub method: Method,
}

/// The method and the address of a service.
#[derive(Debug, Clone, Copy)]
pub struct Endpoint {
    /// Its method.
    pub method: Method,
    /// The address on which it listens.
    pub address: SocketAddr,
}

impl From<&Replica> for Endpoint {
    fn from(replica: &Replica) -> Self {
        Self { method: replica.method, address: replica.server.address() }
    }
}

/// A service's answer.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The header `Retry-After`.
    pub retry_after: Option<String>,
    /// The body.
    pub json: Value,
}

impl Answer {
    /// A text of the body.
    ///
    /// # Panics
    /// When the body has no such text.
    pub fn text(&self, field: &str) -> &str {
        self.json[field].as_str().unwrap_or_else(|| panic!("{field} is not in {self:?}"))
    }
}

/// All of these panic when the service does not do its part.
impl Replica {
    /// Starts a service, without ticker and heartbeat unless the flags ask for them, and waits until it is ready.
    pub async fn start(method: Method, nats: &str, flags: &[&str]) -> Self {
        let replica = Self::begin(method, nats, flags).await;
        replica.until_ready().await;
        replica
    }

    /// As [`Replica::start`], without waiting until it is ready.
    pub async fn begin(method: Method, nats: &str, flags: &[&str]) -> Self {
        let mut args = vec!["replica", "--nats", nats];
        for off in [["--tick", "0"], ["--heartbeat", "1h"], ["--drain", "200ms"]] {
            if !flags.contains(&off[0]) {
                args.extend(off);
            }
        }
        args.extend(flags);
        let server = match method {
            Method::WebSocket => {
                let config = ws_echo::Config::try_parse_from(args).expect("the flags are valid");
                Server::start(|listener, stop| ws_echo::run(listener, config, stop)).await
            }
            Method::LongPoll => {
                let config = longpoll_server::Config::try_parse_from(args).expect("the flags are valid");
                Server::start(|listener, stop| longpoll_server::run(listener, config, stop)).await
            }
            Method::EventStream => {
                let config = sse_server::Config::try_parse_from(args).expect("the flags are valid");
                Server::start(|listener, stop| sse_server::run(listener, config, stop)).await
            }
        };
        Self { server, method }
    }

    /// Two of each method.
    pub async fn start_two_of_each(nats: &str, flags: &[&str]) -> Vec<Self> {
        let mut replicas = Vec::new();
        for method in Method::ALL.into_iter().chain(Method::ALL) {
            replicas.push(Self::start(method, nats, flags).await);
        }
        replicas
    }

    /// Waits until `/readyz` says that it is ready, and not only for clients that are served from memory.
    #[track_caller]
    pub fn until_ready(&self) -> impl Future<Output = ()> + '_ {
        soon(async {
            while self.get("/readyz").await.json["status"] != "ready" {
                pause().await
            }
        })
    }

    /// Waits until `/readyz` gives a reason why it is not ready, or serves clients from memory alone.
    #[track_caller]
    pub fn until_not_ready(&self, reason: &str) -> impl Future<Output = Answer> {
        soon(async move {
            loop {
                let answer = self.get("/readyz").await;
                if answer.json["status"] != "ready" && answer.text("message").contains(reason) {
                    return answer;
                }
                pause().await;
            }
        })
    }

    /// Sends a `GET` request.
    pub async fn get(&self, path: &str) -> Answer {
        self.send(client().get(self.server.url(path))).await
    }

    /// Tries to publish a text.
    pub async fn try_publish(&self, topic: &str, text: &str, key: Option<&str>) -> Answer {
        let request = client().post(self.server.url(&format!("/messages?topic={topic}"))).body(text.to_owned());
        self.send(match key {
            Some(key) => request.header("Idempotency-Key", key),
            None => request,
        })
        .await
    }

    /// Publishes a text and returns its id.
    pub async fn publish(&self, topic: &str, text: &str) -> String {
        let answer = self.try_publish(topic, text, None).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        answer.text("id").to_owned()
    }

    /// Publishes texts, one after the other.
    pub async fn publish_each(&self, topic: &str, texts: impl IntoIterator<Item = String>) -> Vec<String> {
        let mut ids = Vec::new();
        for text in texts {
            ids.push(self.publish(topic, &text).await);
        }
        ids
    }

    /// Publishes texts as an array.
    pub async fn publish_array(&self, topic: &str, texts: &[String], key: Option<&str>) -> Answer {
        let body: Value = texts.iter().map(|text| serde_json::json!({ "text": text })).collect();
        let request = client().post(self.server.url(&format!("/messages?topic={topic}"))).json(&body);
        self.send(match key {
            Some(key) => request.header("Idempotency-Key", key),
            None => request,
        })
        .await
    }

    /// A page of its history.
    pub async fn page(&self, query: &str) -> Value {
        let answer = self.get(&format!("/messages?{query}")).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json
    }

    async fn send(&self, request: RequestBuilder) -> Answer {
        let answer = soon(request.send()).await.expect("the service answers");
        let status = answer.status().as_u16();
        let retry_after =
            answer.headers().get("retry-after").map(|after| after.to_str().unwrap_or_default().to_owned());
        let json = soon(answer.json()).await.expect("the answer is JSON");
        Answer { status, retry_after, json }
    }
}

/// The pause between two requests for something that is not announced.
pub(crate) async fn pause() {
    tokio::time::sleep(Duration::from_millis(10)).await;
}
