//! Starting the service, publishing to it, and following it with a client that we did not write.

use std::net::SocketAddr;
use std::pin::Pin;

use clap::Parser;
use eventsource_stream::{Event, Eventsource};
use futures_util::{Stream, StreamExt};
use reqwest::RequestBuilder;
use serde_json::{Value, json};
use sse_server::Config;
use testkit::{Follower, RawClient, Received, Server, Service, ServiceProgram, Streaming, client, soon};

/// The service, for the tests that are the same for every service.
pub(crate) struct Sse;

impl Service for Sse {
    const PROGRAM: ServiceProgram = ServiceProgram {
        path: env!("CARGO_BIN_EXE_sse-server"),
        name: "sse-server",
        version: env!("CARGO_PKG_VERSION"),
        own_flags: &[],
    };

    type Follower = Events;

    async fn start(flags: &[&str]) -> Server {
        spawn_app(flags).await
    }

    fn request(address: SocketAddr, query: &str) -> RequestBuilder {
        client().get(format!("http://{address}/events?{query}"))
    }

    async fn follow(address: SocketAddr, query: &str) -> Events {
        Events::follow(Self::request(address, query)).await
    }

    async fn position(address: SocketAddr, topics: &str, since: &str) -> String {
        let (_, first) = open_raw(address, &format!("/events?{topics}&since={since}")).await;
        field(&first, "id").unwrap_or(since).to_owned()
    }

    async fn hold(server: &Server) -> RawClient {
        open_raw(server.address(), "/events").await.0
    }
}

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

/// The events of one stream, as a client dispatches them.
pub(crate) struct Events(Pin<Box<dyn Stream<Item = Event> + Send>>);

impl Events {
    /// Opens a stream. The client is subscribed once this returns.
    pub(crate) async fn open(server: &Server, path: &str) -> Self {
        Self::follow(client().get(server.url(path))).await
    }

    /// Opens a stream as a browser does that comes back.
    pub(crate) async fn resume(server: &Server, path: &str, last_event_id: &str) -> Self {
        Self::follow(client().get(server.url(path)).header("Last-Event-ID", last_event_id)).await
    }

    pub(crate) async fn follow(request: RequestBuilder) -> Self {
        let response = soon(request.send()).await.unwrap();
        assert_eq!(response.status(), 200);
        let events = response.bytes_stream().eventsource();
        // A stream that is cut off has ended as one that is closed.
        Self(Box::pin(events.take_while(|event| std::future::ready(event.is_ok())).map(Result::unwrap)))
    }

    /// Waits until the stream has ended, without a further event.
    pub(crate) async fn closed(&mut self) {
        let next = soon(self.0.next()).await;
        assert!(next.is_none(), "{next:?}");
    }

    /// The next event.
    pub(crate) async fn event(&mut self) -> Event {
        soon(self.0.next()).await.expect("the stream goes on")
    }
}

impl Follower for Events {
    async fn next(&mut self) -> Received {
        let Event { event, id, data, .. } = self.event().await;
        received(&event, id, data)
    }
}

impl Streaming for Sse {
    async fn rest(events: Events) -> Vec<String> {
        soon(events.0.map(|event| event.data).collect()).await
    }

    async fn read(client: &mut RawClient) -> Received {
        let block = client.read_until("\n\n").await;
        let [id, data] = ["id", "data"].map(|name| field(&block, name).expect("an event has both").to_owned());
        received(field(&block, "event").unwrap_or("message"), id, data)
    }
}

/// An event, as the message or the gap that it is.
fn received(event: &str, id: String, data: String) -> Received {
    if event != "gap" {
        return Received::Message { id, text: data };
    }
    let gap: Value = serde_json::from_str(&data).unwrap();
    let (reason, since, cursor) = (&gap["reason"], &gap["since"], &gap["cursor"]);
    assert_eq!(gap, json!({ "reason": reason, "since": since, "cursor": cursor }));
    assert_eq!(id, *cursor, "a client that comes back with the id of a gap does not receive it again");
    Received::gap(reason.as_str().unwrap(), since.as_str().unwrap(), &id)
}

/// Opens a stream and returns its first block, the one that dispatches nothing. The client is subscribed then.
pub(crate) async fn open_raw(address: SocketAddr, path: &str) -> (RawClient, String) {
    let mut client = RawClient::connect(address).await;
    client.send(format!("GET {path} HTTP/1.1\r\nhost: test\r\n\r\n")).await;
    let head = client.read_until("\r\n\r\n").await;
    assert!(head.starts_with("HTTP/1.1 200 ") && head.contains("\r\ntransfer-encoding: chunked\r\n"), "{head}");
    client.decode_chunks();
    let first = client.read_until("\n\n").await;
    (client, first)
}

/// The value of a field in a block of a stream.
pub(crate) fn field<'a>(block: &'a str, name: &str) -> Option<&'a str> {
    block.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}
