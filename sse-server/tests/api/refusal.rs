//! Requests for a stream that is not to be had: each is told why, in JSON.

use reqwest::Client;
use serde_json::Value;
use testkit::{RawClient, get, soon};

use crate::helpers::{Events, assert_refusal, assert_refused, publish, spawn_app};

#[tokio::test]
async fn a_topic_that_is_none_is_refused() {
    let server = spawn_app(&[]).await;
    let too_many: Vec<String> = (0..65).map(|n| format!("topic=t{n}")).collect();
    for (query, error) in [
        ("topic=", "bad_topic"),
        ("topic=a..b", "bad_topic"),
        ("topic=a.%3E.b", "bad_topic"),
        ("topic=main&topic=%E4%B8%BB", "bad_topic"),
        (&too_many.join("&"), "bad_parameter"),
    ] {
        let response = soon(Client::new().get(server.url(&format!("/events?{query}"))).send()).await.unwrap();
        assert_refused(response, (400, error)).await;
    }
}

#[tokio::test]
async fn a_cursor_that_is_none_is_refused() {
    let server = spawn_app(&[]).await;
    for since in ["", "yesterday", "-1", "a-b", "42"] {
        let request = Client::new().get(server.url(&format!("/events?since={since}")));
        assert_refused(soon(request.send()).await.unwrap(), (400, "bad_cursor")).await;
    }
    for id in [&b"yesterday"[..], b"\xff\xfe"] {
        let request = Client::new().get(server.url("/events")).header("Last-Event-ID", id);
        assert_refused(soon(request.send()).await.unwrap(), (400, "bad_cursor")).await;
    }
}

#[tokio::test]
async fn a_stream_cannot_be_posted_to() {
    let server = spawn_app(&[]).await;
    let response = soon(Client::new().post(server.url("/events")).send()).await.unwrap();
    assert_eq!(response.headers()["allow"], "GET");
    assert_refused(response, (405, "method_not_allowed")).await;
}

#[tokio::test]
async fn a_stream_takes_no_body() {
    let server = spawn_app(&[]).await;
    let request = Client::new().get(server.url("/events")).body("why?");
    assert_refused(soon(request.send()).await.unwrap(), (400, "unexpected_body")).await;

    let mut client = RawClient::connect(server.address()).await;
    client.send("GET /events HTTP/1.1\r\nhost: test\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n").await;
    assert!(client.read_until("\r\n\r\n").await.starts_with("HTTP/1.1 400 "));

    // A length of nothing is no body.
    let mut client = RawClient::connect(server.address()).await;
    client.send("GET /events HTTP/1.1\r\nhost: test\r\ncontent-length: 0\r\n\r\n").await;
    assert!(client.read_until("\n\n").await.starts_with("HTTP/1.1 200 "));
}

#[tokio::test]
async fn a_websocket_is_not_to_be_had_here() {
    let server = spawn_app(&[]).await;
    let request = Client::new()
        .get(server.url("/events"))
        .header("Connection", "Upgrade")
        .header("Upgrade", "websocket")
        .header("Sec-WebSocket-Version", "13")
        .header("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==");
    assert_refused(soon(request.send()).await.unwrap(), (400, "unexpected_upgrade")).await;
    // Any other upgrade may be ignored, and is.
    Events::follow(Client::new().get(server.url("/events")).header("Upgrade", "h2c")).await;
}

#[tokio::test]
async fn a_client_beyond_the_most_connections_is_told_to_come_back() {
    let server = spawn_app(&["--max-connections", "1"]).await;
    let events = Events::open(&server, "/events").await;
    let response = soon(Client::new().get(server.url("/events")).send()).await.unwrap();
    assert!(response.headers().contains_key("retry-after"));
    assert_refused(response, (503, "full")).await;
    assert!(get(server.address(), "/readyz").await.starts_with("HTTP/1.1 200 "), "the process is well");

    drop(events);
    let served = async {
        loop {
            let answer = get(server.address(), "/messages").await;
            if answer.starts_with("HTTP/1.1 200 ") {
                return;
            }
            let body: Value = serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap();
            assert_refusal(503, "application/json", &body, (503, "full"));
        }
    };
    soon(served).await;
    publish(&server, "main", "there is room again").await;
}
