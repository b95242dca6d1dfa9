//! Tests of the limits that one address has, and of the proxies that report it.

use std::net::SocketAddr;

use reqwest::{Response, StatusCode};
use serde_json::{Value, json};

use crate::client::client;
use crate::process::Process;
use crate::raw::RawClient;
use crate::service::Service;
use crate::soon::soon;
use crate::tokens::{SECRET, token_with};

/// A request by which a connection is counted, over a proxy that reports an address.
fn probe(forwarded_for: &str) -> String {
    format!("GET /livez HTTP/1.1\r\nhost: test\r\nx-forwarded-for: {forwarded_for}\r\n\r\n")
}

/// Returns the head of the answer to a request for the history, which no connection beyond a limit is given.
async fn ask(client: &mut RawClient, forwarded_for: &str) -> String {
    client.send(format!("GET /messages HTTP/1.1\r\nhost: test\r\nx-forwarded-for: {forwarded_for}\r\n\r\n")).await;
    client.read_until("}").await
}

async fn publish(address: SocketAddr, topic: &str, forwarded_for: &str, form: &str, body: &str) -> Response {
    let request = client().post(format!("http://{address}/messages?topic={topic}"));
    let request = request.header("x-forwarded-for", forwarded_for).header("content-type", form);
    soon(request.body(body.to_owned()).send()).await.expect("an answer")
}

async fn publish_text(address: SocketAddr, topic: &str, forwarded_for: &str) -> Response {
    publish(address, topic, forwarded_for, "text/plain", "x").await
}

async fn start<S: Service>(flags: &[&str]) -> (Process, SocketAddr) {
    S::PROGRAM.start(&[&["--drain", "0"], flags].concat()).await
}

/// An address has so many connections; some more are answered with that, and the others are closed at once.
pub async fn an_address_has_so_many_connections<S: Service>() {
    let (mut process, address) = start::<S>(&["--max-connections-per-address", "2"]).await;
    let mut served = Vec::new();
    for _ in 0..2 {
        let mut client = RawClient::connect(address).await;
        client.send(probe("192.0.2.1")).await;
        client.read_until("}").await;
        served.push(client);
    }
    let mut refused = RawClient::connect(address).await;
    let answer = ask(&mut refused, "192.0.2.2").await;
    assert!(answer.starts_with("HTTP/1.1 503 ") && answer.contains("one address may have"), "{answer}");
    assert!(answer.contains("retry-after: "), "{answer}");
    process.line_with("of addresses that have --max-connections-per-address already").await;

    let mut beyond = Vec::new();
    for _ in 0..20 {
        beyond.push(RawClient::connect(address).await);
    }
    beyond.last_mut().expect("there are some").cut_off().await;
    drop(beyond);
    // The others are served all the while, and make room when they go.
    for client in &mut served {
        assert!(ask(client, "192.0.2.1").await.starts_with("HTTP/1.1 200 "));
    }
    drop(served);
    soon(async {
        loop {
            let mut client = RawClient::connect(address).await;
            if client.try_send(probe("")).await && client.read_until("\r\n").await.starts_with("HTTP/1.1 200 ") {
                break;
            }
        }
    })
    .await;
}

/// The connections of a trusted proxy count for the clients that it reports, for as long as each has a request under way.
pub async fn a_proxy_has_connections_for_its_clients<S: Service>() {
    let flags = &["--max-connections-per-address", "1", "--trusted-proxies", "127.0.0.0/8"];
    let (_process, address) = start::<S>(flags).await;
    let held = |forwarded_for: &'static str| {
        RawClient::begin(address, S::request(address, "topic=main").header("x-forwarded-for", forwarded_for))
    };
    let mut idle = RawClient::connect(address).await;
    assert!(ask(&mut idle, "192.0.2.1").await.starts_with("HTTP/1.1 200 "));
    // The request that is to be held may come while the other one is answered.
    let mut clients = Vec::new();
    soon(async {
        loop {
            clients.push(held("192.0.2.1").await);
            if ask(&mut idle, "192.0.2.1").await.starts_with("HTTP/1.1 503 ") {
                break;
            }
        }
    })
    .await;
    assert!(ask(&mut idle, "192.0.2.2").await.starts_with("HTTP/1.1 200 "), "another client of the proxy");
}

/// A client that publishes too fast is answered when to go on; others are not kept from it. What clients say about their address counts
/// from trusted proxies alone.
pub async fn an_address_publishes_so_fast<S: Service>() {
    let (_process, address) = start::<S>(&["--publish-rate", "1:3", "--trusted-proxies", "127.0.0.0/8"]).await;
    // Taken as a whole, and made up for by a long wait.
    let array = format!("[{}]", [r#"{"text":"x"}"#; 1000].join(","));
    let publish_array = |forwarded_for| publish(address, "main", forwarded_for, "application/json", &array);
    assert_eq!(publish_array("192.0.2.1").await.status(), StatusCode::CREATED);
    let refused = publish_text(address, "main", "192.0.2.1").await;
    assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
    let wait: u64 = refused.headers()["retry-after"].to_str().expect("a number").parse().expect("a number");
    assert!((900..=998).contains(&wait), "{wait}");
    let body = soon(refused.text()).await.expect("a body");
    assert!(body.contains("too_fast") && body.contains(&format!("in {wait} s")), "{body}");
    assert_eq!(publish_text(address, "main", "192.0.2.2").await.status(), StatusCode::CREATED);

    let (_process, address) = start::<S>(&["--publish-rate", "1:3"]).await;
    let published = publish(address, "main", "192.0.2.1", "application/json", &array).await;
    assert_eq!(published.status(), StatusCode::CREATED);
    assert_eq!(publish_text(address, "main", "192.0.2.2").await.status(), StatusCode::TOO_MANY_REQUESTS);
}

/// A client that uses many idempotency keys can repeat its publications, and others have theirs; a client is a token's subject,
/// wherever its bearer is.
pub async fn a_publisher_uses_a_tenth_of_the_keys<S: Service>() {
    let flags = ["--idempotency-keys", "30", "--trusted-proxies", "127.0.0.0/8"];
    let (_process, address) = start::<S>(&flags).await;
    let publish = async |address: SocketAddr, key: u32, forwarded_for: &str, token: Option<&str>| {
        let request = client().post(format!("http://{address}/messages?topic=a.b")).body("x");
        let request = request.header("idempotency-key", key.to_string()).header("x-forwarded-for", forwarded_for);
        let request = token.into_iter().fold(request, |request, token| request.bearer_auth(token));
        soon(request.send()).await.expect("an answer")
    };
    for key in 0..3 {
        assert_eq!(publish(address, key, "192.0.2.1", None).await.status(), StatusCode::CREATED);
    }
    let refused = publish(address, 3, "192.0.2.1", None).await;
    assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
    let wait: u64 = refused.headers()["retry-after"].to_str().expect("a number").parse().expect("a number");
    assert!((100..=130).contains(&wait), "{wait}");
    let body = soon(refused.text()).await.expect("a body");
    assert!(body.contains("too_many_keys") && body.contains("used 3 idempotency keys"), "{body}");
    assert_eq!(publish(address, 2, "192.0.2.1", None).await.status(), StatusCode::OK, "a repeat");
    assert_eq!(publish(address, 3, "192.0.2.2", None).await.status(), StatusCode::CREATED, "another publisher");
    assert_eq!(publish_text(address, "a.b", "192.0.2.1").await.status(), StatusCode::CREATED, "without a key");
    // All keys together.
    for key in 4..30 {
        let status = publish(address, key, &format!("198.51.100.{}", key / 3), None).await.status();
        assert_eq!(status, StatusCode::CREATED, "{key}");
    }
    let refused = publish(address, 30, "198.51.100.20", None).await;
    assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
    let wait: u64 = refused.headers()["retry-after"].to_str().expect("a number").parse().expect("a number");
    assert!((60..=120).contains(&wait), "{wait}");

    let (_process, address) = start::<S>(&[&flags[..], &["--jwt-secret", SECRET]].concat()).await;
    let [ada, eve] = ["ada", "eve"].map(|subject| token_with(json!({ "sub": subject })));
    for key in 0..4 {
        let status = publish(address, key, &format!("192.0.2.{key}"), Some(&ada)).await.status();
        assert_eq!(status, if key < 3 { StatusCode::CREATED } else { StatusCode::TOO_MANY_REQUESTS });
    }
    assert_eq!(publish(address, 4, "192.0.2.0", Some(&eve)).await.status(), StatusCode::CREATED, "another subject");
}

/// A client that floods many topics pushes out its own messages, and not those of others.
pub async fn a_publisher_has_a_share_of_the_history<S: Service>() {
    let flags = ["--history-bytes", "256 KiB", "--max-message-bytes", "8 KiB", "--trusted-proxies", "127.0.0.0/8"];
    let (_process, address) = start::<S>(&flags).await;
    for number in 0..10 {
        let status = publish_text(address, &format!("steady.{number}"), "192.0.2.1").await.status();
        assert_eq!(status, StatusCode::CREATED);
    }
    let flood = "x".repeat(4000);
    for number in 0..200 {
        let topic = format!("flood.{number}");
        let status = publish(address, &topic, "192.0.2.2", "text/plain", &flood).await.status();
        assert_eq!(status, StatusCode::CREATED);
    }
    let held = async |topics: &str| {
        let page = client().get(format!("http://{address}/messages?topic={topics}&limit=1000"));
        let page: Value = soon(async { page.send().await?.json().await }).await.expect("a page");
        page["messages"].as_array().expect("a list").len()
    };
    assert_eq!(held("steady.*").await, 10);
    assert!((20..60).contains(&held("flood.*").await), "the room is used");
}

/// At the limit of topics a new one is refused, to publishers and to followers; those that are there go on.
pub async fn so_many_topics_are_kept<S: Service>() {
    let (_process, address) = start::<S>(&["--max-topics", "2"]).await;
    for topic in ["a", "b", "a"] {
        assert_eq!(publish_text(address, topic, "").await.status(), StatusCode::CREATED);
    }
    let refused = publish_text(address, "c", "").await;
    assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
    assert!(refused.headers().contains_key("retry-after"));
    let body = soon(refused.text()).await.expect("a body");
    assert!(body.contains("too_many_topics") && body.contains("--max-topics"), "{body}");
    assert_eq!(soon(S::request(address, "topic=c").send()).await.expect("an answer").status(), 429);
}

/// Values of the flags that make no sense are refused, with what to write.
pub async fn limits_that_make_no_sense_are_refused<S: Service>() {
    for (flags, advice) in [
        (["--max-topics", "0"], "write a number, at least 1"),
        (["--publish-rate", "5/s"], "write messages per second, such as 50"),
        (["--trusted-proxies", "proxy.example"], "write an address such as 10.0.0.7, or a network"),
    ] {
        let exit = Process::run(S::PROGRAM.path, &flags).await;
        assert!(exit.code == Some(2) && exit.stderr.contains(advice), "{exit:?}");
    }
}

/// Makes the tests of limits that are the same for every service: `limit_behaviours!(Sse)`.
#[macro_export]
macro_rules! limit_behaviours {
    ($service:ty) => {
        $crate::behaviours!($service:
            limits::an_address_has_so_many_connections,
            limits::a_proxy_has_connections_for_its_clients,
            limits::an_address_publishes_so_fast,
            limits::a_publisher_uses_a_tenth_of_the_keys,
            limits::a_publisher_has_a_share_of_the_history,
            limits::so_many_topics_are_kept,
            limits::limits_that_make_no_sense_are_refused,
        );
    };
}
