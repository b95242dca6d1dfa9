//! The stream itself: its head, its blocks, its heartbeats.

use serde_json::{Value, json};
use testkit::{Follower, RawClient, client, publish, publish_json, soon};

use crate::helpers::{Events, field, open_raw, spawn_app};

#[tokio::test]
async fn its_headers_keep_proxies_from_storing_or_buffering_it() {
    let server = spawn_app(&[]).await;
    let request = client().get(server.url("/events")).header("Origin", "http://page.example");
    let response = soon(request.send()).await.unwrap();
    assert_eq!(response.status(), 200);
    let header = |name: &str| response.headers().get(name).map(|value| value.to_str().unwrap());
    assert_eq!(header("content-type"), Some("text/event-stream"));
    assert_eq!(header("cache-control"), Some("no-cache, no-transform"));
    assert_eq!(header("x-accel-buffering"), Some("no"));
    assert_eq!(header("access-control-allow-origin"), Some("*"), "a page of another origin can read it");
    assert_eq!(header("content-length"), None);
    assert!(header("date").is_some());
}

#[tokio::test]
async fn it_begins_with_the_retry_time_and_the_position_and_dispatches_nothing() {
    let server = spawn_app(&[]).await;
    let id = publish(&server, "main", "before").await;
    let (_client, first) = open_raw(server.address(), "/events").await;
    let retry = field(&first, "retry").unwrap();
    assert!(retry.parse::<u32>().is_ok_and(|millis| millis > 0), "{first}");
    assert_eq!(first, format!("retry: {retry}\nid: {id}\n\n"));
}

#[tokio::test]
async fn a_message_with_an_event_name_is_an_event_of_that_name() {
    let server = spawn_app(&[]).await;
    let mut events = Events::open(&server, "/events").await;
    let sent = json!([{ "text": "a", "event": "news" }, { "text": "b" }, { "text": "c", "event": "订单 1" }]);
    let ids = publish_json(&server, "main", &sent).await;
    for (id, (name, text)) in ids.iter().zip([("news", "a"), ("message", "b"), ("订单 1", "c")]) {
        let event = events.event().await;
        assert_eq!((&event.id, event.event.as_str(), event.data.as_str()), (id, name, text));
    }
}

#[tokio::test]
async fn a_text_arrives_as_it_was_published_whatever_is_in_it() {
    let server = spawn_app(&[]).await;
    let mut events = Events::open(&server, "/events").await;
    for text in [
        "one\ntwo\n\nfour",
        "\nbegins with an empty line",
        "ends with one\n",
        " leading space",
        ": no comment",
        "data: x\nid: y\nevent: z\nretry: 1",
        "你好，服务器！🦀",
        "\u{feff}a byte order mark",
        "nul \0 and \u{2028}",
        "{\"json\": true}",
    ] {
        let id = publish(&server, "main", text).await;
        let event = events.event().await;
        assert_eq!((event.data.as_str(), &event.id, event.event.as_str()), (text, &id, "message"));
    }
    // The format knows one line end.
    publish(&server, "main", "a\r\nb\rc").await;
    assert_eq!(events.event().await.data, "a\nb\nc");
}

#[tokio::test]
async fn a_quiet_stream_has_heartbeats_that_dispatch_nothing() {
    let server = spawn_app(&["--heartbeat", "50ms"]).await;
    let (mut client, _) = open_raw(server.address(), "/events").await;
    for _ in 0..3 {
        assert_eq!(client.read_until("\n").await, ":\n", "an empty line would be an event to some clients");
    }
    let id = publish(&server, "main", "a message").await;
    let before = client.read_until(&format!("id: {id}\ndata: a message\n\n")).await;
    assert!(before.replace(":\n", "").starts_with("id: "), "heartbeats come between messages: {before}");
    client.read_until(":\n").await;
}

#[tokio::test]
async fn a_heartbeat_moves_the_client_on_past_what_it_does_not_follow() {
    let server = spawn_app(&["--heartbeat", "50ms", "--history", "1"]).await;
    let (mut client, _) = open_raw(server.address(), "/events?topic=quiet").await;
    let id = publish(&server, "busy", "-").await;
    client.read_until(&format!(":\nid: {id}\n\n")).await;
    assert_eq!(client.read_until(":\n:\n").await, ":\n:\n", "the position is sent once");
}

#[tokio::test]
async fn the_ticker_publishes_the_local_time_in_the_usual_words() {
    let server = spawn_app(&["--tick", "50ms"]).await;
    let mut events = Events::open(&server, "/events").await;
    for text in events.texts(3).await {
        let time = text.strip_prefix("New message at ").unwrap_or_else(|| panic!("{text}"));
        let shape: String = time.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
        assert_eq!(shape, "00:00:00", "{text}");
    }
    let server = spawn_app(&["--tick", "50ms", "--tick-text", "tick"]).await;
    assert_eq!(Events::open(&server, "/events").await.texts(2).await, ["tick", "tick"]);
}

#[tokio::test]
async fn what_a_client_sends_after_its_request_does_no_harm() {
    let server = spawn_app(&[]).await;
    let mut client = RawClient::connect(server.address()).await;
    let request = "GET /events HTTP/1.1\r\nhost: test\r\n\r\n";
    client.send(format!("{request}{request}")).await;
    client.read_until("\r\n\r\n").await;
    client.decode_chunks();
    client.read_until("\n\n").await;
    client.send("x".repeat(1 << 20)).await;
    let id = publish(&server, "main", "still here").await;
    client.read_until(&format!("id: {id}\ndata: still here\n\n")).await;
    client.send(request).await;
    let id = publish(&server, "main", "and now").await;
    assert_eq!(client.read_until("\n\n").await, format!("id: {id}\ndata: and now\n\n"));
}

#[tokio::test]
async fn whole_messages_come_as_json_in_unnamed_events() {
    let server = spawn_app(&[]).await;
    let mut events = Events::open(&server, "/events?data=json").await;
    let sent = json!([{ "text": "a\nb", "event": "news" }, { "text": "订单" }]);
    let ids = publish_json(&server, "main", &sent).await;
    for (index, id) in ids.iter().enumerate() {
        let event = events.event().await;
        let message: Value = serde_json::from_str(&event.data).unwrap();
        assert_eq!((event.event.as_str(), &event.id), ("message", id));
        assert_eq!((&message["id"], &message["topic"]), (&json!(id), &json!("main")));
        assert_eq!((&message["text"], &message["event"]), (&sent[index]["text"], &sent[index]["event"]));
        assert!(message["at"].is_string(), "{message}");
    }
    // A gap is what it was.
    let mut events = Events::resume(&server, "/events?data=json", "elsewhere-1").await;
    assert_eq!(events.event().await.event, "gap");
}

#[tokio::test]
async fn heartbeats_that_scripts_can_see_begin_at_once() {
    let server = spawn_app(&["--heartbeat", "1h"]).await;
    let mut events = Events::open(&server, "/events?heartbeat=1").await;
    let event = events.event().await;
    assert_eq!((event.event.as_str(), event.data.as_str()), ("heartbeat", "3600"));
    let id = publish(&server, "main", "x").await;
    assert_eq!(events.event().await.id, id);

    let server = spawn_app(&["--heartbeat", "50ms"]).await;
    let mut events = Events::open(&server, "/events?heartbeat=1").await;
    for _ in 0..3 {
        let event = events.event().await;
        assert_eq!((event.event.as_str(), event.data.as_str()), ("heartbeat", "0.05"));
    }
}

#[tokio::test]
async fn a_client_of_http_1_0_gets_the_stream_too() {
    let server = spawn_app(&[]).await;
    let mut client = RawClient::connect(server.address()).await;
    client.send("GET /events HTTP/1.0\r\n\r\n").await;
    let head = client.read_until("\r\n\r\n").await;
    assert!(!head.contains("transfer-encoding"), "{head}");
    client.read_until("\n\n").await;
    let head = publish(&server, "main", "old friend").await;
    client.read_until(&format!("id: {head}\ndata: old friend\n\n")).await;
}

/// Libraries that cannot set headers repeat the query with the last id. Of several positions, the header counts before the
/// query, and the query before `since`, which is that of the first request. An empty one does not count.
#[tokio::test]
async fn the_last_event_id_may_be_in_the_query() {
    let server = spawn_app(&[]).await;
    let mut ids = Vec::new();
    for text in ["0", "1", "2", "3"] {
        ids.push(publish(&server, "main", text).await);
    }
    let [a, b, c, _] = &ids[..] else { unreachable!() };
    for (query, header, first) in [
        (format!("lastEventId={a}"), "", "1"),
        (format!("last-event-id={a}"), "", "1"),
        (format!("since={a}&lastEventId={b}"), "", "2"),
        (format!("since={a}&last-event-id={b}&lastEventId={c}"), "", "3"),
        (format!("since={a}&lastEventId="), "", "1"),
        (format!("lastEventId={a}"), &c[..], "3"),
        (format!("since={a}"), &b[..], "2"),
    ] {
        let path = format!("/events?{query}");
        let mut events = match header {
            "" => Events::open(&server, &path).await,
            id => Events::resume(&server, &path, id).await,
        };
        assert_eq!(events.event().await.data, first, "{query} {header}");
    }
    let mut foreign = Events::open(&server, "/events?lastEventId=42").await;
    assert_eq!(foreign.event().await.event, "gap");
}

/// `HEAD` is answered with the head of the stream, at once.
#[tokio::test]
async fn the_head_of_the_stream_is_not_held() {
    let server = spawn_app(&[]).await;
    let head = async |method: &str, version: &str| {
        let mut client = RawClient::connect(server.address()).await;
        client.send(format!("{method} /events?topic=a HTTP/{version}\r\nhost: test\r\n\r\n")).await;
        let head = client.read_until("\r\n\r\n").await;
        let lines = head.lines().filter(|line| !line.starts_with("date: ")).map(str::to_owned).collect::<Vec<_>>();
        (client, lines)
    };
    for version in ["1.1", "1.0"] {
        let (mut client, of_head) = head("HEAD", version).await;
        assert_eq!(of_head, head("GET", version).await.1);
        assert_eq!(client.read_to_end().await, "", "there is no body");
    }
    let mut client = RawClient::connect(server.address()).await;
    client.send("HEAD /events?topic=a..b HTTP/1.1\r\nhost: test\r\n\r\n").await;
    assert!(client.read_until("\r\n\r\n").await.starts_with("HTTP/1.1 400 "));
}
