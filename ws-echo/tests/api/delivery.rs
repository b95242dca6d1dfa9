//! Every message once, in order, whatever the client follows and wherever it resumes.

use futures_util::{SinkExt, StreamExt};
use serde_json::Value;
use testkit::{delivery, publish_array, soon};
use tokio_tungstenite::tungstenite::Message;

use crate::helpers::{Feed, Ws, spawn_app};

testkit::behaviours!(Feed:
    delivery::one_client_follows_several_topics_and_wildcards,
    delivery::a_client_begins_now_unless_it_asks_otherwise,
    delivery::a_client_that_is_cut_off_after_any_message_resumes_without_loss,
);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_client_gets_every_message_once_in_order() {
    delivery::every_client_gets_every_message_once_in_order::<Feed>(&["", "topic=main&topic=other", "topic=*"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pings_and_publications_in_the_middle_of_heavy_delivery_corrupt_nothing() {
    const MESSAGES: usize = 1000;
    const PINGS: usize = 300;
    let server = spawn_app(&[]).await;
    let big = "x".repeat(10_000);
    let (feed, _) = Ws::feed(server.address(), "/feed").await;
    let (mut sink, mut stream) = feed.0.split();
    let publishing = async {
        for n in 0..MESSAGES / 10 {
            let texts: Vec<String> = (0..10).map(|m| format!("{} {big}", n * 10 + m)).collect();
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
                    let frame: Value = serde_json::from_str(&text).unwrap();
                    if frame["type"] == "ack" {
                        assert_eq!(frame["key"], acks.to_string());
                        acks += 1;
                    } else {
                        let text = frame["text"].as_str().unwrap_or_else(|| panic!("{frame}"));
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
