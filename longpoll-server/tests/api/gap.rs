//! A loss is reported, once, and delivery goes on after it.

use serde_json::json;
use testkit::{publish, publish_array, publish_each};

use crate::helpers::{Answer, LongPolling, cursor, hold, poll, spawn_app, texts};

testkit::behaviours!(LongPolling:
    gap::a_cursor_older_than_the_history_has_expired,
    gap::a_cursor_of_another_epoch_is_reported,
);

#[tokio::test]
async fn a_gap_comes_with_the_first_page_after_it() {
    let server = spawn_app(&["--history", "3"]).await;
    let ids = publish_each(&server, "main", &["1", "2", "3", "4", "5", "6"]).await;
    let page = poll(&server, &format!("since={}&limit=2", ids[0])).await;
    assert_eq!(page["gap"], json!({ "reason": "expired", "since": ids[0], "cursor": ids[2] }));
    assert_eq!((texts(&page), cursor(&page)), (vec!["4", "5"], &ids[4][..]));
}

#[tokio::test]
async fn a_cursor_of_another_epoch_is_never_held() {
    let before = spawn_app(&[]).await;
    let old = publish(&before, "main", "old").await;
    before.stopped().await;

    let after = spawn_app(&[]).await;
    // There is no message yet, and still this is not held: the client has to know.
    let page = poll(&after, &format!("since={old}")).await;
    let epoch = cursor(&page).split_once('-').unwrap().0.to_owned();
    assert_eq!(page["gap"], json!({ "reason": "epoch", "since": old, "cursor": format!("{epoch}-0") }));
    assert_eq!(texts(&page), [""; 0]);
}

#[tokio::test]
async fn a_held_poll_lags_behind_a_burst_longer_than_the_history() {
    let server = spawn_app(&["--history", "2"]).await;
    let first = publish(&server, "main", "1").await;
    let mut client = hold(&server, &format!("since={first}")).await;
    let ids = publish_array(&server, "main", &["2", "3", "4", "5"]).await;
    let page = Answer::read(&mut client).await.json();
    assert_eq!(page["gap"], json!({ "reason": "lagged", "since": first, "cursor": ids[1] }));
    assert_eq!((texts(&page), cursor(&page)), (vec!["4", "5"], &ids[3][..]));
}
