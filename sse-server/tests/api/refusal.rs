//! Requests for a stream that cannot be had: each is refused with its reason, in JSON.

use reqwest::Client;
use testkit::{RawClient, assert_refused, soon};

use crate::helpers::{Events, Sse, spawn_app};

testkit::behaviours!(Sse:
    refusal::topics_that_are_no_topics_are_refused,
    refusal::cursors_that_are_no_cursors_are_refused,
    refusal::a_client_beyond_the_most_connections_is_refused_for_now,
);

#[tokio::test]
async fn a_parameter_that_is_unknown_or_given_twice_is_refused() {
    let server = spawn_app(&[]).await;
    for (query, error) in [
        ("topics=a", "unknown_parameter"),
        ("last_event_id=1", "unknown_parameter"),
        ("Last-Event-Id=1", "unknown_parameter"),
        ("since=now&since=earliest", "bad_parameter"),
        ("lastEventId=&lastEventId=", "bad_parameter"),
        // An error even where the header counts: it is the page's own.
        ("since=yesterday&lastEventId=1", "bad_cursor"),
    ] {
        let response = soon(Client::new().get(server.url(&format!("/events?{query}"))).send()).await.unwrap();
        assert_refused(response, 400, error).await;
    }
}

#[tokio::test]
async fn a_stream_cannot_be_posted_to() {
    let server = spawn_app(&[]).await;
    let response = soon(Client::new().post(server.url("/events")).send()).await.unwrap();
    assert_eq!(response.headers()["allow"], "GET, HEAD");
    assert_refused(response, 405, "method_not_allowed").await;
}

#[tokio::test]
async fn a_stream_takes_no_body() {
    let server = spawn_app(&[]).await;
    let request = Client::new().get(server.url("/events")).body("why?");
    assert_refused(soon(request.send()).await.unwrap(), 400, "unexpected_body").await;

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
    assert_refused(soon(request.send()).await.unwrap(), 400, "unexpected_upgrade").await;
    // Any other upgrade may be ignored, and is.
    Events::follow(Client::new().get(server.url("/events")).header("Upgrade", "h2c")).await;
}
