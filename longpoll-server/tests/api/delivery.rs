//! Every message once, in order, whatever the client follows and wherever it resumes.

use futures_util::future::join_all;
use reqwest::Client;
use serde_json::Value;
use testkit::{Server, soon};

use crate::helpers::{cursor, poll, publish, publish_array, publish_each, spawn_app, texts};

/// Polls, each from where the last one left off, until there have been `count` messages.
async fn follow(server: &Server, query: &str, mut since: String, count: usize) -> Vec<String> {
    let client = Client::new();
    let mut received = Vec::new();
    while received.len() < count {
        let request = client.get(server.url(&format!("/poll?{query}&since={since}")));
        let page: Value =
            soon(async { request.send().await.unwrap().error_for_status().unwrap().json().await }).await.unwrap();
        assert_eq!(page["gap"], Value::Null);
        received.extend(texts(&page).into_iter().map(str::to_owned));
        since = cursor(&page).to_owned();
    }
    received
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_client_gets_every_message_once_in_order() {
    let server = spawn_app(&[]).await;
    let start = cursor(&poll(&server, "since=now&wait=0").await).to_owned();
    let all: Vec<String> = (0..60).map(|n| n.to_string()).collect();
    let publishing = async {
        for pair in all.chunks(3) {
            publish(&server, "main", pair[0].clone()).await;
            publish_array(&server, "main", &[&pair[1], &pair[2]]).await;
        }
    };
    let limits = ["", "limit=1", "limit=7", "topic=main&topic=other", "topic=*"];
    let receiving = join_all((0..200).map(|n| follow(&server, limits[n % limits.len()], start.clone(), 60)));
    let (received, ()) = tokio::join!(receiving, publishing);
    for (client, received) in received.iter().enumerate() {
        assert_eq!(received, &all, "client {client}");
    }
}

#[tokio::test]
async fn one_poll_follows_several_topics_and_wildcards() {
    let server = spawn_app(&[]).await;
    for (topic, text) in [
        ("main", "1"),
        ("orders.new", "2"),
        ("orders", "-"),
        ("logs.eu.web", "3"),
        ("orders.new.eu", "-"),
        ("other", "-"),
        ("orders.old", "4"),
        ("main", "5"),
    ] {
        publish(&server, topic, text).await;
    }
    let topics = "topic=main&topic=orders.*&topic=logs.%3E&topic=orders.new";
    let page = poll(&server, &format!("{topics}&since=earliest")).await;
    assert_eq!(texts(&page), ["1", "2", "3", "4", "5"]);
    assert_eq!(follow(&server, &format!("{topics}&limit=2"), "earliest".to_owned(), 5).await, texts(&page));
}

#[tokio::test]
async fn any_cursor_of_any_answer_resumes_without_loss() {
    let server = spawn_app(&[]).await;
    let mut cursors = vec![cursor(&poll(&server, "since=now&wait=0&topic=a&topic=b").await).to_owned()];
    let all = ["0", "1", "2", "3", "4", "5"];
    for text in all {
        publish(&server, "unfollowed", "-").await;
        cursors.push(publish(&server, if text < "3" { "a" } else { "b" }, text).await);
    }
    // The ids of messages, the cursors of polls, and those of pages of history are of one kind.
    for (seen, id) in cursors.iter().enumerate() {
        let page = poll(&server, &format!("topic=a&topic=b&since={id}&wait=0")).await;
        assert_eq!(texts(&page), all[seen..], "after {id}");
    }
    for route in ["poll", "messages"] {
        let mut since = "earliest".to_owned();
        for seen in 1..=all.len() {
            let url = server.url(&format!("/{route}?topic=a&topic=b&since={since}&limit=1"));
            let page: Value = soon(async { reqwest::get(url).await.unwrap().json().await }).await.unwrap();
            assert_eq!(texts(&page), [all[seen - 1]]);
            since = cursor(&page).to_owned();
            let rest = poll(&server, &format!("topic=a&topic=b&since={since}&wait=0")).await;
            assert_eq!(texts(&rest), all[seen..], "after {since} of /{route}");
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
