//! A loss is told, once, and delivery goes on behind it.

use serde_json::{Value, json};
use testkit::RawClient;

use crate::helpers::{HUGE, HUGE_ALLOWED, Ws, publish, publish_array, publish_each, spawn_app};
use crate::raw::{open, read_frame};

fn gap(reason: &str, since: &str, cursor: &str) -> Value {
    json!({ "type": "gap", "reason": reason, "since": since, "cursor": cursor })
}

async fn read_json(client: &mut RawClient) -> Value {
    serde_json::from_slice(&read_frame(client).await.1).unwrap()
}

#[tokio::test]
async fn a_cursor_older_than_the_history_is_told_that_it_expired() {
    let server = spawn_app(&["--history", "3"]).await;
    let ids = publish_each(&server, "main", &["1", "2", "3", "4", "5", "6"]).await;
    let (mut feed, _) = Ws::feed(&server, &format!("/feed?since={}", ids[0])).await;
    assert_eq!(feed.json().await, gap("expired", &ids[0], &ids[2]));
    assert_eq!(feed.texts(3).await, ["4", "5", "6"]);

    let (mut again, _) = Ws::feed(&server, &format!("/feed?since={}", ids[2])).await;
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
        let (mut feed, _) = Ws::feed(&after, &format!("/feed?since={cursor}")).await;
        assert_eq!(feed.json().await, gap("epoch", &cursor, &format!("{epoch}-0")));
        assert_eq!(feed.texts(2).await, ["1", "2"]);
    }
}

#[tokio::test]
async fn a_burst_longer_than_the_history_is_told_as_lagged() {
    let server = spawn_app(&["--history", "2"]).await;
    let (mut feed, start) = Ws::feed(&server, "/feed").await;
    let ids = publish_array(&server, "main", &["1", "2", "3", "4"]).await;
    assert_eq!(feed.json().await, gap("lagged", &start, &ids[1]));
    assert_eq!(feed.texts(2).await, ["3", "4"]);
    publish(&server, "main", "5").await;
    assert_eq!(feed.texts(1).await, ["5"]);
}

#[tokio::test]
async fn a_client_that_reads_too_slowly_is_told_what_it_missed() {
    let server = spawn_app(&[&HUGE_ALLOWED[..], &["--history", "2", "--write-timeout", "1m"]].concat()).await;
    let mut client = open(server.address(), "/feed").await;
    assert_eq!(read_json(&mut client).await["type"], "welcome");
    let huge = publish(&server, "main", "x".repeat(HUGE)).await;
    // Now the server is in the middle of this message, and has to wait.
    let begun = client.read_exact(10).await;
    let ids = publish_each(&server, "main", &["2", "3", "4", "5"]).await;

    let length = u64::from_be_bytes(begun[2..].try_into().unwrap()) as usize;
    let message: Value = serde_json::from_slice(&client.read_exact(length).await).unwrap();
    assert_eq!(message["id"], huge, "the message that was begun is whole");
    assert_eq!(read_json(&mut client).await, gap("lagged", &huge, &ids[1]));
    assert_eq!(read_json(&mut client).await["id"], ids[2]);
    assert_eq!(read_json(&mut client).await["id"], ids[3]);
}

#[tokio::test]
async fn a_client_that_is_cut_off_before_it_was_told_of_a_gap_is_told_when_it_comes_back() {
    let server = spawn_app(&["--history", "2"]).await;
    let ids = publish_each(&server, "main", &["1", "2", "3", "4"]).await;
    for since in [ids[0].as_str(), "abc-7"] {
        // It takes the welcome, whose cursor is its position, and goes.
        let (feed, cursor) = Ws::feed(&server, &format!("/feed?since={since}")).await;
        drop(feed);
        let (mut feed, _) = Ws::feed(&server, &format!("/feed?since={cursor}")).await;
        let told = feed.json().await;
        assert_eq!(told["type"], "gap", "with {since} it was welcomed at {cursor}, and then got {told}");
        assert_eq!(feed.texts(2).await, ["3", "4"]);
    }
}
