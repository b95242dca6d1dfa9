//! Every message once, in order, whatever the client follows and wherever it resumes.

use futures_util::future::join_all;
use futures_util::{SinkExt, StreamExt};
use serde_json::Value;
use testkit::soon;
use tokio_tungstenite::tungstenite::Message;

use crate::helpers::{Ws, publish, publish_array, publish_each, spawn_app};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_subscriber_gets_every_message_once_in_order() {
    let server = spawn_app(&[]).await;
    let subscribers = join_all((0..200).map(|_| Ws::feed(&server, "/feed"))).await;
    let texts: Vec<String> = (0..60).map(|n| n.to_string()).collect();
    let publishing = async {
        for pair in texts.chunks(3) {
            publish(&server, "main", pair[0].clone()).await;
            publish_array(&server, "main", &[&pair[1], &pair[2]]).await;
        }
    };
    let receiving = join_all(subscribers.into_iter().map(|(mut feed, _)| async move { feed.texts(60).await }));
    let (received, ()) = tokio::join!(receiving, publishing);
    for (subscriber, received) in received.iter().enumerate() {
        assert_eq!(received, &texts, "subscriber {subscriber}");
    }
}

#[tokio::test]
async fn one_feed_follows_several_topics_and_wildcards() {
    let server = spawn_app(&[]).await;
    let path = "/feed?topic=main&topic=orders.*&topic=logs.%3E&topic=orders.new";
    let (mut feed, _) = Ws::feed(&server, path).await;
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
    assert_eq!(feed.texts(5).await, ["1", "2", "3", "4", "5"]);
}

#[tokio::test]
async fn a_client_that_is_cut_off_after_any_message_resumes_without_loss() {
    let server = spawn_app(&[]).await;
    let (_, welcome) = Ws::feed(&server, "/feed?topic=a&topic=b").await;
    let mut cursors = vec![welcome];
    let texts = ["0", "1", "2", "3", "4", "5"];
    for text in texts {
        publish(&server, "unfollowed", "-").await;
        cursors.push(publish(&server, if text < "3" { "a" } else { "b" }, text).await);
    }
    for (seen, cursor) in cursors.iter().enumerate() {
        let (mut feed, welcome) = Ws::feed(&server, &format!("/feed?topic=a&topic=b&since={cursor}")).await;
        assert_eq!(feed.texts(texts.len() - seen).await, texts[seen..]);
        // What it was welcomed with is as good as what it came with.
        let (mut feed, _) = Ws::feed(&server, &format!("/feed?topic=a&topic=b&since={welcome}")).await;
        assert_eq!(feed.texts(texts.len() - seen).await, texts[seen..]);
    }
}

#[tokio::test]
async fn a_feed_begins_now_unless_it_says_otherwise() {
    let server = spawn_app(&[]).await;
    let ids = publish_each(&server, "main", &["1", "2"]).await;
    let (mut by_default, _) = Ws::feed(&server, "/feed").await;
    let (mut now, _) = Ws::feed(&server, "/feed?since=now").await;
    let (mut earliest, _) = Ws::feed(&server, "/feed?since=earliest").await;
    let (mut after, _) = Ws::feed(&server, &format!("/feed?since={}", ids[0])).await;
    publish(&server, "main", "3").await;
    assert_eq!(by_default.texts(1).await, ["3"]);
    assert_eq!(now.texts(1).await, ["3"]);
    assert_eq!(earliest.texts(3).await, ["1", "2", "3"]);
    assert_eq!(after.texts(2).await, ["2", "3"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pings_and_publications_in_the_middle_of_heavy_delivery_corrupt_nothing() {
    const MESSAGES: usize = 1000;
    const PINGS: usize = 300;
    let server = spawn_app(&[]).await;
    let big = "x".repeat(10_000);
    let (feed, _) = Ws::feed(&server, "/feed").await;
    let (mut sink, mut stream) = feed.0.split();
    let publishing = async {
        for n in 0..MESSAGES / 10 {
            let texts: Vec<String> = (0..10).map(|m| format!("{} {big}", n * 10 + m)).collect();
            let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
            publish_array(&server, "main", &texts).await;
        }
    };
    let pinging = async {
        for n in 0..PINGS {
            soon(sink.send(Message::Ping(n.to_string().into()))).await.unwrap();
            soon(
                sink.send(format!("{{\"type\":\"publish\",\"topic\":\"x\",\"text\":\"{n}\",\"key\":\"{n}\"}}").into()),
            )
            .await
            .unwrap();
        }
    };
    let receiving = async {
        let (mut messages, mut acks, mut pongs) = (0, 0, None);
        while messages < MESSAGES || acks < PINGS || pongs != Some(PINGS - 1) {
            match soon(stream.next()).await.unwrap().unwrap() {
                Message::Text(text) => {
                    let told: Value = serde_json::from_str(&text).unwrap();
                    if told["type"] == "ack" {
                        assert_eq!(told["key"], acks.to_string());
                        acks += 1;
                    } else {
                        let text = told["text"].as_str().unwrap_or_else(|| panic!("{told}"));
                        assert_eq!(text.split_once(' '), Some((&messages.to_string()[..], &big[..])));
                        messages += 1;
                    }
                }
                // Of pings that come close together the last alone has to be answered.
                Message::Pong(payload) => {
                    let pong = std::str::from_utf8(&payload).unwrap().parse().unwrap();
                    assert!(pongs < Some(pong));
                    pongs = Some(pong);
                }
                Message::Ping(_) => {}
                other => panic!("{other:?}"),
            }
        }
    };
    tokio::join!(publishing, pinging, receiving);
}
