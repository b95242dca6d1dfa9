//! Tests of delivery: every message once, in order, whatever a client follows and wherever it resumes.

use futures_util::future::join_all;

use crate::publish::{publish, publish_array, publish_each};
use crate::service::{Follower, Received, Service};

/// Checks that each of 200 clients, which follow `main` by these queries in turn, receives each of 60 messages once and in
/// order.
pub async fn every_client_gets_every_message_once_in_order<S: Service>(queries: &[&str]) {
    const CLIENTS: usize = 200;
    let server = S::start(&[]).await;
    let followers = queries.iter().cycle().take(CLIENTS).map(|query| S::follow(server.address(), query));
    let followers = join_all(followers).await;
    let texts: Vec<String> = (0..60).map(|n| n.to_string()).collect();
    let publishing = async {
        for three in texts.chunks(3) {
            publish(&server, "main", three[0].clone()).await;
            publish_array(&server, "main", &three[1..]).await;
        }
    };
    let receiving = join_all(followers.into_iter().map(|mut follower| async move { follower.texts(60).await }));
    let (received, ()) = tokio::join!(receiving, publishing);
    for (client, received) in received.iter().enumerate() {
        assert_eq!(received, &texts, "client {client}");
    }
}

/// One client follows several topics and wildcards, and receives a message that several of them match once.
pub async fn one_client_follows_several_topics_and_wildcards<S: Service>() {
    let server = S::start(&[]).await;
    let start = S::position(server.address(), "", "now").await;
    let topics = "topic=main&topic=orders.*&topic=logs.%3E&topic=orders.new";
    let mut live = S::follow(server.address(), topics).await;
    for (topic, text) in [
        ("main", "1"),
        ("orders.new", "2"),
        ("orders", "-"),
        ("logs.eu.web", "3"),
        ("orders.new.eu", "-"),
        ("other", "-"),
        ("orders.old", "4"),
        ("logs", "-"),
        ("main", "5"),
    ] {
        publish(&server, topic, text).await;
    }
    let mut resumed = S::follow(server.address(), &format!("{topics}&since={start}")).await;
    for follower in [&mut live, &mut resumed] {
        assert_eq!(follower.texts(5).await, ["1", "2", "3", "4", "5"]);
    }
}

/// A client begins now unless it asks for another position.
pub async fn a_client_begins_now_unless_it_asks_otherwise<S: Service>() {
    let server = S::start(&[]).await;
    let ids = publish_each(&server, "main", &["1", "2"]).await;
    let after = format!("since={}", ids[0]);
    let expected: [(&str, &[&str]); 4] =
        [("", &["3"]), ("since=now", &["3"]), ("since=earliest", &["1", "2", "3"]), (&after, &["2", "3"])];
    let mut followers = join_all(expected.iter().map(|(query, _)| S::follow(server.address(), query))).await;
    publish(&server, "main", "3").await;
    for (follower, (query, texts)) in followers.iter_mut().zip(expected) {
        assert_eq!(follower.texts(texts.len()).await, texts, "{query}");
    }
}

/// A client that is cut off after any message resumes with the cursor that it has, without a loss.
pub async fn a_client_that_is_cut_off_after_any_message_resumes_without_loss<S: Service>() {
    const TOPICS: &str = "topic=a&topic=b";
    let server = S::start(&[]).await;
    let mut cursors = vec![S::position(server.address(), TOPICS, "now").await];
    let texts = ["0", "1", "2", "3", "4", "5"];
    for text in texts {
        publish(&server, "unfollowed", "-").await;
        cursors.push(publish(&server, if text < "3" { "a" } else { "b" }, text).await);
    }
    for (had, cursor) in cursors.iter().enumerate() {
        // A client that is cut off once more, before it received anything, has a cursor too.
        let position = S::position(server.address(), TOPICS, cursor).await;
        for cursor in [cursor, &position] {
            let mut follower = S::follow(server.address(), &format!("{TOPICS}&since={cursor}")).await;
            for (text, id) in texts.iter().zip(&cursors[1..]).skip(had) {
                assert_eq!(follower.next().await, Received::message(id, text), "since {cursor}");
            }
        }
    }
    let mut follower = S::follow(server.address(), &format!("{TOPICS}&since={}", cursors[5])).await;
    assert_eq!(follower.texts(1).await, ["5"]);
    publish(&server, "a", "6").await;
    assert_eq!(follower.texts(1).await, ["6"], "a client that resumed goes on with the next message");
}
