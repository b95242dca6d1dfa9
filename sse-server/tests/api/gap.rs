//! A loss is told, once, and delivery goes on behind it.

use eventsource_stream::Event;
use serde_json::{Value, json};
use testkit::{RawClient, Server};

use crate::helpers::{
    Events, HUGE, HUGE_ALLOWED, field, messages, open_raw, publish, publish_array, publish_each, spawn_app,
};

#[track_caller]
fn assert_gap(event: &Event, reason: &str, since: &str, cursor: &str) {
    assert_eq!(event.event, "gap");
    let told: Value = serde_json::from_str(&event.data).unwrap();
    assert_eq!(told, json!({ "reason": reason, "since": since, "cursor": cursor }));
    assert_eq!(event.id, cursor, "who comes back with the id of a gap is not told again");
}

#[tokio::test]
async fn a_cursor_older_than_the_history_is_told_that_it_expired() {
    let server = spawn_app(&["--history", "3"]).await;
    let ids = publish_each(&server, "main", &["1", "2", "3", "4", "5", "6"]).await;
    let mut events = Events::open(&server, &format!("/events?since={}", ids[0])).await;
    assert_gap(&events.next().await, "expired", &ids[0], &ids[2]);
    assert_eq!(events.texts(3).await, ["4", "5", "6"]);

    let mut again = Events::resume(&server, "/events", &ids[2]).await;
    assert_eq!(again.texts(3).await, ["4", "5", "6"], "a gap is told once");
}

#[tokio::test]
async fn a_cursor_of_before_a_restart_is_told_so() {
    let before = spawn_app(&[]).await;
    let old = publish(&before, "main", "old").await;
    before.stopped().await;

    let after = spawn_app(&[]).await;
    let ids = publish_each(&after, "main", &["1", "2"]).await;
    let epoch = ids[0].split_once('-').unwrap().0;
    for cursor in [old, format!("{epoch}-3")] {
        let mut events = Events::resume(&after, "/events", &cursor).await;
        assert_gap(&events.next().await, "epoch", &cursor, &format!("{epoch}-0"));
        assert_eq!(events.texts(2).await, ["1", "2"]);
    }
}

#[tokio::test]
async fn a_burst_longer_than_the_history_is_told_as_lagged() {
    let server = spawn_app(&["--history", "2"]).await;
    let mut events = Events::open(&server, "/events").await;
    let first = publish(&server, "main", "1").await;
    assert_eq!(events.next().await.id, first);
    let ids = publish_array(&server, "main", &messages(&["2", "3", "4", "5"])).await;
    assert_gap(&events.next().await, "lagged", &first, &ids[1]);
    assert_eq!(events.texts(2).await, ["4", "5"]);
    publish(&server, "main", "6").await;
    assert_eq!(events.next().await.data, "6");
}

#[tokio::test]
async fn a_client_that_reads_too_slowly_is_told_what_it_missed() {
    let server = spawn_app(&[&HUGE_ALLOWED[..], &["--history", "2", "--write-timeout", "1m"]].concat()).await;
    let (mut client, _) = open_raw(&server, "/events").await;
    let huge = publish(&server, "main", "x".repeat(HUGE)).await;
    // Now the server is in the middle of this message, and has to wait.
    client.read_until(&format!("id: {huge}\n")).await;
    let ids = publish_each(&server, "main", &["2", "3", "4", "5"]).await;

    assert!(client.read_until("\n\n").await.len() > HUGE, "the message that was begun is whole");
    let gap = client.read_until("\n\n").await;
    let told = json!({ "reason": "lagged", "since": huge, "cursor": ids[1] });
    assert_eq!(field(&gap, "event"), Some("gap"));
    assert_eq!(serde_json::from_str::<Value>(field(&gap, "data").unwrap()).unwrap(), told);
    assert_eq!(client.read_until("\n\n").await, format!("id: {}\ndata: 4\n\n", ids[2]));
    assert_eq!(client.read_until("\n\n").await, format!("id: {}\ndata: 5\n\n", ids[3]));
}

/// Connects with a cursor, takes the first block and goes. What it has is what a browser would come back with.
async fn cut_off_after_the_first_block(server: &Server, since: &str) -> String {
    let (client, first) = open_raw(server, &format!("/events?since={since}")).await;
    drop::<RawClient>(client);
    field(&first, "id").unwrap_or(since).to_owned()
}

#[tokio::test]
async fn a_client_that_is_cut_off_before_it_was_told_of_a_gap_is_told_when_it_comes_back() {
    let server = spawn_app(&["--history", "2"]).await;
    let ids = publish_each(&server, "main", &["1", "2", "3", "4"]).await;
    for (since, reason) in [(ids[0].as_str(), "expired"), ("abc-7", "epoch")] {
        let has = cut_off_after_the_first_block(&server, since).await;
        let mut events = Events::resume(&server, "/events", &has).await;
        let event = events.next().await;
        assert_eq!(event.event, "gap", "after {reason} the client had {has} and got {event:?}");
        assert_eq!(events.texts(2).await, ["3", "4"]);
    }
}
