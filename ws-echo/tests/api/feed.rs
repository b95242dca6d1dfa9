//! `GET /feed`: the frames of the service, and those of its clients.

use serde_json::{Value, json};
use testkit::traces::traceparent;
use testkit::{Follower, RawClient, Service, assert_refused, publish, publish_array};
use tokio_tungstenite::tungstenite::Message;

use crate::helpers::{Feed, Ws, spawn_app};
use crate::raw::{FIN, TEXT, frame, handshake, read_frame};

#[tokio::test]
async fn it_begins_with_the_position_and_goes_on_with_messages_as_they_come() {
    let server = spawn_app(&[]).await;
    let before = publish(&server, "main", "before").await;
    let (mut feed, cursor) = Ws::feed(server.address(), "/feed").await;
    assert_eq!(cursor, before);
    let id = publish(&server, "main", "你好\n\"quoted\"").await;
    let message = feed.json().await;
    assert!(message["at"].as_str().unwrap().ends_with('Z'));
    let expected =
        json!({ "type": "message", "id": id, "topic": "main", "text": "你好\n\"quoted\"", "at": message["at"] });
    assert_eq!(message, expected);
}

#[tokio::test]
async fn a_client_publishes_and_receives_the_id() {
    let server = spawn_app(&[]).await;
    let (mut publisher, _) = Ws::feed(server.address(), "/feed?topic=unfollowed").await;
    let (mut subscriber, _) = Ws::feed(server.address(), "/feed?topic=%3E").await;

    let ack = publisher.ask(json!({ "type": "publish", "text": "plain" })).await;
    let message = subscriber.json().await;
    assert_eq!((&message["text"], &message["topic"]), (&json!("plain"), &json!("main")));
    assert_eq!(ack, json!({ "type": "ack", "key": null, "id": message["id"] }));

    let full = json!({ "type": "publish", "topic": "a.b", "text": "full", "event": "news", "key": "k1" });
    let ack = publisher.ask(full).await;
    let message = subscriber.json().await;
    assert_eq!(
        (&message["text"], &message["topic"], &message["event"]),
        (&json!("full"), &json!("a.b"), &json!("news"))
    );
    assert_eq!(ack, json!({ "type": "ack", "key": "k1", "id": message["id"] }));
}

#[tokio::test]
async fn a_client_that_follows_what_it_publishes_gets_it_too() {
    let server = spawn_app(&[]).await;
    let (mut feed, _) = Ws::feed(server.address(), "/feed").await;
    feed.send(json!({ "type": "publish", "text": "mine" }).to_string()).await;
    let (one, two) = (feed.json().await, feed.json().await);
    let (ack, message) = if one["type"] == "ack" { (one, two) } else { (two, one) };
    assert_eq!((&ack["type"], &message["type"]), (&json!("ack"), &json!("message")));
    assert_eq!(ack["id"], message["id"]);
}

#[tokio::test]
async fn a_publication_hands_on_its_traceparent() {
    let server = spawn_app(&[]).await;
    let (mut feed, _) = Ws::feed(server.address(), "/feed").await;
    let (mut publisher, _) = Ws::feed(server.address(), "/feed?topic=unfollowed").await;
    for (sent, handed_on) in [
        (json!(traceparent(true)), json!(traceparent(true))),
        (json!("of no trace"), json!(null)),
        (json!(null), json!(null)),
    ] {
        publisher.ask(json!({ "type": "publish", "text": "m", "traceparent": sent })).await;
        assert_eq!(feed.json().await["traceparent"], handed_on, "{sent}");
    }
}

#[tokio::test]
async fn a_key_publishes_once_however_often_and_wherever_it_is_sent() {
    let server = spawn_app(&[]).await;
    let (mut subscriber, _) = Ws::feed(server.address(), "/feed").await;
    let publication = json!({ "type": "publish", "text": "once", "key": "k" });
    let (mut publisher, _) = Ws::feed(server.address(), "/feed?topic=unfollowed").await;
    let first = publisher.ask(publication.clone()).await;
    let again = json!({ "type": "ack", "key": "k", "id": first["id"], "repeated": true });
    assert_eq!(publisher.ask(publication.clone()).await, again);
    let (mut other, _) = Ws::feed(server.address(), "/feed?topic=unfollowed").await;
    assert_eq!(other.ask(publication).await, again);
    let refused = other.ask(json!({ "type": "publish", "text": "something else", "key": "k" })).await;
    assert_eq!((&refused["error"], &refused["key"]), (&json!("key_reused"), &json!("k")));
    let by_http = testkit::client().post(server.url("/messages")).header("Idempotency-Key", "k").body("once");
    let by_http = by_http.send().await.unwrap();
    assert_eq!(by_http.status(), 200);
    assert_eq!(by_http.json::<Value>().await.unwrap()["id"], first["id"]);
    publish(&server, "main", "next").await;
    assert_eq!(subscriber.texts(2).await, ["once", "next"]);
}

#[tokio::test]
async fn what_makes_no_sense_is_answered_with_why_and_the_feed_goes_on() {
    let server = spawn_app(&["--max-message-bytes", "100"]).await;
    let (mut feed, _) = Ws::feed(server.address(), "/feed").await;
    let publication = |rest: &str| format!("{{\"type\":\"publish\",{rest}}}");
    for (sent, key, error) in [
        (Message::from("hello?"), None, "bad_frame"),
        (Message::from(""), None, "bad_frame"),
        (Message::from("[]"), None, "bad_frame"),
        (Message::from("[\"publish\",\"main\",\"a\",null,null]"), None, "bad_frame"),
        (Message::from("[\"k\"]"), None, "bad_frame"),
        (Message::from("{\"text\":\"a\"}"), None, "bad_frame"),
        (Message::from("{\"type\":\"subscribe\",\"text\":\"a\"}"), None, "bad_frame"),
        (Message::from(publication("\"text\":\"a\",\"colour\":\"red\"")), None, "bad_frame"),
        (Message::from(publication("\"text\":\"a\",\"event\":\"gap\"")), None, "bad_frame"),
        (Message::from(publication("\"text\":1")), None, "bad_frame"),
        (Message::binary(publication("\"text\":\"a\"")), None, "bad_frame"),
        (Message::from(publication("\"key\":\"1\"")), Some("1"), "no_text"),
        (Message::from(publication("\"text\":null,\"key\":\"2\"")), Some("2"), "no_text"),
        (Message::from(publication("\"text\":\"a\",\"topic\":\"a..b\",\"key\":\"3\"")), Some("3"), "bad_topic"),
        (Message::from(publication("\"text\":\"a\",\"topic\":\"a.*\",\"key\":\"4\"")), Some("4"), "bad_topic"),
        (Message::from(publication("\"text\":\"a\",\"key\":\"\"")), Some(""), "bad_key"),
        (
            Message::from(publication(&format!("\"text\":\"{}\",\"key\":\"5\"", "x".repeat(101)))),
            Some("5"),
            "too_large",
        ),
    ] {
        feed.send(sent.clone()).await;
        let answer = feed.json().await;
        assert_eq!(
            (answer["type"].as_str(), answer["error"].as_str()),
            (Some("error"), Some(error)),
            "{sent}: {answer}"
        );
        assert_eq!(answer["key"].as_str(), key, "{sent}: {answer}");
        assert!(answer["message"].as_str().is_some_and(|message| !message.is_empty()), "{sent}: {answer}");
    }
    publish(&server, "main", "still here").await;
    assert_eq!(feed.texts(1).await, ["still here"], "nothing of that was published");
}

#[tokio::test]
async fn a_quiet_client_is_given_each_new_position_once() {
    let server = spawn_app(&["--heartbeat", "100ms"]).await;
    let (mut feed, _) = Ws::feed(server.address(), "/feed?topic=quiet").await;
    for _ in 0..2 {
        let id = publish(&server, "busy", "x").await;
        assert_eq!(feed.json().await, json!({ "type": "position", "cursor": id }));
        let (one, two) = (feed.any().await, feed.any().await);
        assert!(one.is_ping() && two.is_ping(), "{one:?}, {two:?}");
    }
}

#[tokio::test]
async fn a_publisher_learns_the_position_after_what_it_does_not_follow() {
    let server = spawn_app(&["--heartbeat", "50ms"]).await;
    let (mut feed, _) = Ws::feed(server.address(), "/feed?topic=quiet").await;
    let ack = feed.ask(json!({ "type": "publish", "topic": "other", "text": "x" })).await;
    assert_eq!(feed.json().await, json!({ "type": "position", "cursor": ack["id"] }));
    let id = publish(&server, "quiet", "a message").await;
    assert_eq!(feed.json().await["id"], json!(id), "a position that came with a message is not reported again");
    let (first, _) = (feed.any().await, feed.any().await);
    assert!(first.is_ping(), "{first:?}");
}

#[tokio::test]
async fn heartbeats_that_scripts_can_see_begin_at_once() {
    let server = spawn_app(&["--heartbeat", "1h"]).await;
    let (mut feed, _) = Ws::feed(server.address(), "/feed?heartbeat=1").await;
    assert_eq!(feed.json().await, json!({ "type": "heartbeat", "period": 3600 }));
    publish(&server, "main", "x").await;
    assert_eq!(feed.texts(1).await, ["x"]);

    let server = spawn_app(&["--heartbeat", "50ms"]).await;
    let (mut feed, _) = Ws::feed(server.address(), "/feed?heartbeat=1").await;
    for _ in 0..3 {
        assert_eq!(feed.json().await, json!({ "type": "heartbeat", "period": 0.05 }));
    }
    let request = Feed::request(server.address(), "heartbeat=often");
    assert_refused(request.send().await.unwrap(), 400, "bad_parameter").await;
}

#[tokio::test]
async fn the_ticker_publishes_the_local_time_in_the_usual_words() {
    let server = spawn_app(&["--tick", "50ms"]).await;
    let (mut feed, _) = Ws::feed(server.address(), "/feed").await;
    for text in feed.texts(2).await {
        let time = text.strip_prefix("New message at ").unwrap_or_else(|| panic!("{text}"));
        let shape: String = time.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
        assert_eq!(shape, "00:00:00", "{text}");
    }
}

#[tokio::test]
async fn every_text_that_may_be_published_fits_into_a_frame() {
    let server = spawn_app(&[]).await;
    let (mut feed, _) = Ws::feed(server.address(), "/feed?topic=other").await;
    // JSON has no shorter form for this character than six bytes.
    let text = "\u{1}".repeat(64 * 1024);
    let ack = feed.ask(json!({ "type": "publish", "text": text, "key": "k" })).await;
    assert_eq!((&ack["type"], &ack["key"]), (&json!("ack"), &json!("k")));
    let error = feed.ask(json!({ "type": "publish", "text": format!("{text}x"), "key": "l" })).await;
    assert_eq!((&error["error"], &error["key"]), (&json!("too_large"), &json!("l")));
}

/// All messages that an address publishes count, whichever way they take.
#[tokio::test]
async fn a_client_that_publishes_too_fast_gets_an_error_and_the_feed_goes_on() {
    let server = spawn_app(&["--publish-rate", "1"]).await;
    let (mut feed, _) = Ws::feed(server.address(), "/feed?topic=other").await;
    publish_array(&server, "main", &["x"; 1000]).await;
    let error = feed.ask(json!({ "type": "publish", "text": "x", "key": "k" })).await;
    assert_eq!((&error["error"], &error["key"]), (&json!("too_fast"), &json!("k")));
    let (mut other, _) = Ws::feed(server.address(), "/feed?topic=other").await;
    assert_eq!(other.ask(json!({ "type": "publish", "text": "x" })).await["error"], "too_fast");
}

#[tokio::test]
async fn an_error_names_the_key_of_the_frame_whatever_is_wrong_with_it() {
    let server = spawn_app(&[]).await;
    let (mut feed, _) = Ws::feed(server.address(), "/feed").await;
    for wrong in [
        json!({ "type": "publish", "text": 5, "key": "k" }),
        json!({ "type": "publish", "text": "a", "event": "gap", "key": "k" }),
        json!({ "type": "publish", "text": "a", "unknown": 1, "key": "k" }),
        json!({ "type": "subscribe", "key": "k" }),
    ] {
        let error = feed.ask(wrong).await;
        assert_eq!(
            (&error["type"], &error["error"], &error["key"]),
            (&json!("error"), &json!("bad_frame"), &json!("k"))
        );
    }
}

#[tokio::test]
async fn a_client_that_is_behind_is_read_all_the_same() {
    let server = spawn_app(&["--history", "10000"]).await;
    let texts = vec!["x".repeat(1000); 500];
    for _ in 0..4 {
        publish_array(&server, "main", &texts).await;
    }
    // In one packet, so that it is there before anything is delivered.
    let publication = json!({ "type": "publish", "topic": "other", "text": "a" }).to_string();
    let mut client = RawClient::connect(server.address()).await;
    client
        .send([handshake("/feed?since=earliest").as_bytes(), &frame(FIN | TEXT, publication.as_bytes())].concat())
        .await;
    client.read_until("\r\n\r\n").await;
    let mut before = 0;
    while !read_frame(&mut client).await.1.starts_with(br#"{"type":"ack""#) {
        before += 1;
    }
    assert!(before < 2000, "it was read only after everything that it had missed");
}

/// RFC 8259, section 8.1.
#[tokio::test]
async fn a_byte_order_mark_before_a_frame_is_passed_over() {
    let server = spawn_app(&[]).await;
    let (mut feed, _) = Ws::feed(server.address(), "/feed?topic=unfollowed").await;
    feed.send("\u{feff}{\"type\":\"publish\",\"text\":\"marked\"}".to_owned()).await;
    assert_eq!(feed.json().await["type"], "ack");
}
