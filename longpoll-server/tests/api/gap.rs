//! A loss is told, once, and delivery goes on behind it.

use serde_json::{Value, json};

use crate::helpers::{Answer, cursor, hold, poll, publish, publish_array, publish_each, spawn_app, texts};

#[tokio::test]
async fn a_cursor_older_than_the_history_is_told_that_it_expired() {
    let server = spawn_app(&["--history", "3"]).await;
    let ids = publish_each(&server, "main", &["1", "2", "3", "4", "5", "6"]).await;
    let page = poll(&server, &format!("since={}&limit=2", ids[0])).await;
    assert_eq!(page["gap"], json!({ "reason": "expired", "since": ids[0], "cursor": ids[2] }));
    assert_eq!((texts(&page), cursor(&page)), (vec!["4", "5"], &ids[4][..]));

    let again = poll(&server, &format!("since={}", ids[2])).await;
    assert_eq!((texts(&again), &again["gap"]), (vec!["4", "5", "6"], &Value::Null), "a gap is told once");
}

#[tokio::test]
async fn a_cursor_of_before_a_restart_is_told_so_at_once() {
    let before = spawn_app(&[]).await;
    let old = publish(&before, "main", "old").await;
    before.stopped().await;

    let after = spawn_app(&[]).await;
    // There is no message yet, and still this is not held: the client has to know.
    let page = poll(&after, &format!("since={old}")).await;
    let epoch = cursor(&page).split_once('-').unwrap().0.to_owned();
    assert_eq!(page["gap"], json!({ "reason": "epoch", "since": old, "cursor": format!("{epoch}-0") }));
    assert_eq!(texts(&page), [""; 0]);

    publish_each(&after, "main", &["1", "2"]).await;
    for cursor in [old, format!("{epoch}-3")] {
        let page = poll(&after, &format!("since={cursor}")).await;
        assert_eq!(page["gap"], json!({ "reason": "epoch", "since": cursor, "cursor": format!("{epoch}-0") }));
        assert_eq!(texts(&page), ["1", "2"]);
    }
}

#[tokio::test]
async fn a_burst_longer_than_the_history_is_told_as_lagged() {
    let server = spawn_app(&["--history", "2"]).await;
    let first = publish(&server, "main", "1").await;
    let mut client = hold(&server, &format!("since={first}")).await;
    let ids = publish_array(&server, "main", &["2", "3", "4", "5"]).await;
    let page = Answer::read(&mut client).await.json();
    assert_eq!(page["gap"], json!({ "reason": "lagged", "since": first, "cursor": ids[1] }));
    assert_eq!((texts(&page), cursor(&page)), (vec!["4", "5"], &ids[3][..]));
}
