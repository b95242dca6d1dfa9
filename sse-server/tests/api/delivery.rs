//! Every message once, in order, whatever the client follows and wherever it resumes.

use futures_util::future::join_all;
use reqwest::Client;

use crate::helpers::{Events, field, messages, open_raw, publish, publish_array, publish_each, spawn_app};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_subscriber_gets_every_message_once_in_order() {
    let server = spawn_app(&[]).await;
    let subscribers = join_all((0..200).map(|_| Events::open(&server, "/events"))).await;
    let texts: Vec<String> = (0..60).map(|n| n.to_string()).collect();
    let publishing = async {
        for pair in texts.chunks(3) {
            publish(&server, "main", pair[0].clone()).await;
            publish_array(&server, "main", &messages(&[&pair[1], &pair[2]])).await;
        }
    };
    let receiving = join_all(subscribers.into_iter().map(|mut events| async move { events.texts(60).await }));
    let (received, ()) = tokio::join!(receiving, publishing);
    for (subscriber, received) in received.iter().enumerate() {
        assert_eq!(received, &texts, "subscriber {subscriber}");
    }
}

#[tokio::test]
async fn one_stream_follows_several_topics_and_wildcards() {
    let server = spawn_app(&[]).await;
    let mut events = Events::open(&server, "/events?topic=main&topic=orders.*&topic=logs.>&topic=orders.new").await;
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
    assert_eq!(events.texts(5).await, ["1", "2", "3", "4", "5"]);
}

#[tokio::test]
async fn a_stream_begins_now_unless_it_says_otherwise() {
    let server = spawn_app(&[]).await;
    publish(&server, "main", "before").await;
    let mut by_default = Events::open(&server, "/events").await;
    let mut now = Events::open(&server, "/events?since=now").await;
    let mut earliest = Events::open(&server, "/events?since=earliest").await;
    publish(&server, "main", "after").await;
    assert_eq!(by_default.next().await.data, "after");
    assert_eq!(now.next().await.data, "after");
    assert_eq!(earliest.texts(2).await, ["before", "after"]);
}

#[tokio::test]
async fn a_client_that_is_cut_off_after_any_message_resumes_without_loss() {
    let server = spawn_app(&[]).await;
    let (_, first) = open_raw(&server, "/events?topic=a&topic=b").await;
    // The cursor of a client that has had nothing yet.
    let mut cursors = vec![field(&first, "id").unwrap().to_owned()];
    let texts = ["0", "1", "2", "3", "4", "5"];
    for text in texts {
        publish(&server, "unfollowed", "-").await;
        cursors.push(publish(&server, if text < "3" { "a" } else { "b" }, text).await);
    }
    for (seen, cursor) in cursors.iter().enumerate() {
        let by_query = format!("/events?topic=a&topic=b&since={cursor}");
        for mut events in
            [Events::open(&server, &by_query).await, Events::resume(&server, "/events?topic=a&topic=b", cursor).await]
        {
            for (text, id) in texts.iter().zip(&cursors[1..]).skip(seen) {
                let event = events.next().await;
                assert_eq!((event.event.as_str(), event.data.as_str(), &event.id), ("message", *text, id));
            }
        }
    }
}

#[tokio::test]
async fn a_stream_that_resumes_goes_on_with_what_comes_next() {
    let server = spawn_app(&[]).await;
    let ids = publish_each(&server, "main", &["1", "2", "3"]).await;
    let mut events = Events::open(&server, &format!("/events?since={}", ids[0])).await;
    assert_eq!(events.texts(2).await, ["2", "3"]);
    publish(&server, "main", "4").await;
    assert_eq!(events.next().await.data, "4");
}

#[tokio::test]
async fn the_last_event_id_of_a_browser_wins_over_the_since_of_its_first_request() {
    let server = spawn_app(&[]).await;
    let ids = publish_each(&server, "main", &["1", "2", "3"]).await;
    let path = format!("/events?since={}", ids[0]);
    assert_eq!(Events::resume(&server, &path, &ids[1]).await.next().await.data, "3");
    assert_eq!(Events::resume(&server, "/events?since=now", &ids[0]).await.texts(2).await, ["2", "3"]);
    // A browser that has no id sends none; some clients send an empty one.
    assert_eq!(Events::resume(&server, &path, "").await.next().await.data, "2");
}

#[tokio::test]
async fn a_cursor_of_any_answer_is_one_that_a_stream_resumes_from() {
    let server = spawn_app(&[]).await;
    publish_each(&server, "main", &["1", "2"]).await;
    let page = Client::new().get(server.url("/messages?limit=1")).send().await.unwrap();
    let page: serde_json::Value = page.json().await.unwrap();
    let path = format!("/events?since={}", page["cursor"].as_str().unwrap());
    assert_eq!(Events::open(&server, &path).await.next().await.data, "2");
}
