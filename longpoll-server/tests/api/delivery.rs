//! Every message once, in order, whatever the client follows and wherever it resumes.

use serde_json::Value;
use testkit::{delivery, publish, publish_each, soon};

use crate::helpers::{LongPolling, cursor, poll, spawn_app, texts};

testkit::behaviours!(LongPolling:
    delivery::one_client_follows_several_topics_and_wildcards,
    delivery::a_client_that_is_cut_off_after_any_message_resumes_without_loss,
);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_client_gets_every_message_once_in_order() {
    let queries = ["", "limit=1", "limit=7", "topic=main&topic=other", "topic=*"];
    delivery::every_client_gets_every_message_once_in_order::<LongPolling>(&queries).await;
}

#[tokio::test]
async fn the_cursor_of_any_page_resumes_without_loss() {
    let server = spawn_app(&[]).await;
    let all = ["0", "1", "2", "3", "4", "5"];
    for text in all {
        publish(&server, "unfollowed", "-").await;
        publish(&server, if text < "3" { "a" } else { "b" }, text).await;
    }
    for route in ["poll", "messages"] {
        let mut since = "earliest".to_owned();
        for had in 1..=all.len() {
            let url = server.url(&format!("/{route}?topic=a&topic=b&since={since}&limit=1"));
            let page: Value =
                soon(async { testkit::client().get(url).send().await.unwrap().json().await }).await.unwrap();
            assert_eq!(texts(&page), [all[had - 1]]);
            since = cursor(&page).to_owned();
            let rest = poll(&server, &format!("topic=a&topic=b&since={since}&wait=0")).await;
            assert_eq!(texts(&rest), all[had..], "after {since} of /{route}");
        }
    }
}

#[tokio::test]
async fn polls_may_overlap() {
    let server = spawn_app(&[]).await;
    let ids = publish_each(&server, "main", &["1", "2"]).await;
    let query = format!("since={}", ids[0]);
    let (one, two) = tokio::join!(poll(&server, &query), poll(&server, &query));
    assert_eq!((texts(&one), texts(&two)), (vec!["2"], vec!["2"]));
}
