//! Requests for a stream that cannot be had: each is refused with its reason, in JSON.

use reqwest::RequestBuilder;
use testkit::{RawClient, Server, Service, assert_refused, begin_stop, client, soon};

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
        let response = soon(client().get(server.url(&format!("/events?{query}"))).send()).await.unwrap();
        assert_refused(response, 400, error).await;
    }
}

#[tokio::test]
async fn what_a_stream_can_be_asked_for_is_limited() {
    let server = spawn_app(&[]).await;
    for query in ["data=", "data=xml", "heartbeat=", "heartbeat=yes"] {
        let request = client().get(server.url(&format!("/events?{query}")));
        assert_refused(soon(request.send()).await.unwrap(), 400, "bad_parameter").await;
    }
}

/// Asks as an `EventSource` does. Returns the body of the answer, which has an end.
async fn turned_away(server: &Server, by: RequestBuilder) -> String {
    let response = soon(by.header("Accept", "text/event-stream").send()).await.unwrap();
    assert_eq!(
        (response.status().as_u16(), &response.headers()["content-type"]),
        (200, &"text/event-stream".parse().unwrap())
    );
    assert!(response.headers().contains_key("access-control-allow-origin"), "a page can read it: {}", server.address());
    soon(response.text()).await.unwrap()
}

/// Returns the reason and the time to wait, in seconds.
fn reason(body: &str) -> (&str, u32) {
    let lines: Vec<&str> = body.lines().collect();
    let [comment, retry, ""] = lines[..] else { panic!("{body:?}") };
    let (reason, _) = comment.strip_prefix(": ").unwrap().split_once(": ").unwrap();
    (reason, retry.strip_prefix("retry: ").unwrap().parse::<u32>().unwrap() / 1000)
}

#[tokio::test]
async fn an_event_source_that_finds_the_service_full_is_asked_to_come_back() {
    let server = spawn_app(&["--max-connections", "1"]).await;
    let held = Sse::hold(&server).await;
    // A header that only hyper reads, and an origin.
    for request in
        [client().get(server.url("/events")), client().get(server.url("/events")).header("Content-Length", "0")]
    {
        let body = turned_away(&server, request.header("Origin", "http://page.example")).await;
        let (reason, seconds) = reason(&body);
        assert!(reason == "full" && (5..15).contains(&seconds), "{body}");
    }
    // Everybody else is answered by a status.
    for (path, accept) in [
        ("/events", "*/*"),
        ("/events", "text/event-stream;q=0"),
        ("/events", "text/event-stream; Q=0.000, */*"),
        ("/messages", "text/event-stream"),
        ("/nowhere", "text/event-stream"),
    ] {
        let request = client().get(server.url(path)).header("Accept", accept);
        assert_refused(soon(request.send()).await.unwrap(), 503, "full").await;
    }
    let head = client().head(server.url("/events")).header("Accept", "text/event-stream;q=0.5");
    let head = soon(head.send()).await.unwrap();
    assert_eq!((head.status().as_u16(), &head.headers()["content-type"]), (200, &"text/event-stream".parse().unwrap()));
    drop(held);
}

#[tokio::test]
async fn an_event_source_with_one_pattern_or_topic_too_many_is_asked_to_come_back() {
    for (flag, first, second, named) in
        [("--max-patterns", "a.*", "b.*", "too_many_patterns"), ("--max-topics", "a", "b", "too_many_topics")]
    {
        let server = spawn_app(&[flag, "1"]).await;
        let _held = Events::open(&server, &format!("/events?topic={first}")).await;
        let request = client().get(server.url(&format!("/events?topic={second}")));
        let body = turned_away(&server, request.header("Origin", "http://page.example")).await;
        let (reason, seconds) = reason(&body);
        assert!(reason == named && (5..15).contains(&seconds), "{body}");
    }
}

#[tokio::test]
async fn an_event_source_that_comes_during_the_drain_is_asked_to_come_back() {
    let mut server = spawn_app(&["--drain", "1h"]).await;
    let _held = Sse::hold(&server).await;
    begin_stop(&mut server).await;
    let request = client().get(server.url("/events")).header("Origin", "http://page.example");
    let body = turned_away(&server, request).await;
    let (reason, seconds) = reason(&body);
    assert!(reason == "draining" && (1..3).contains(&seconds), "{body}");
}

#[tokio::test]
async fn an_origin_that_is_not_allowed_is_refused_however_full_the_service_is() {
    let server = spawn_app(&["--max-connections", "1", "--allow-origin", "http://a.example"]).await;
    let _held = Sse::hold(&server).await;
    let request = client().get(server.url("/events")).header("Accept", "text/event-stream");
    let response = soon(request.header("Origin", "http://b.example").send()).await.unwrap();
    assert_refused(response, 403, "origin_not_allowed").await;
}

#[tokio::test]
async fn a_stream_cannot_be_posted_to() {
    let server = spawn_app(&[]).await;
    let response = soon(client().post(server.url("/events")).send()).await.unwrap();
    assert_eq!(response.headers()["allow"], "GET, HEAD");
    assert_refused(response, 405, "method_not_allowed").await;
}

#[tokio::test]
async fn a_stream_takes_no_body() {
    let server = spawn_app(&[]).await;
    let request = client().get(server.url("/events")).body("why?");
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
    let request = client()
        .get(server.url("/events"))
        .header("Connection", "Upgrade")
        .header("Upgrade", "websocket")
        .header("Sec-WebSocket-Version", "13")
        .header("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==");
    assert_refused(soon(request.send()).await.unwrap(), 400, "unexpected_upgrade").await;
    // Any other upgrade may be ignored, and is.
    Events::follow(client().get(server.url("/events")).header("Upgrade", "h2c")).await;
}
