use std::time::{Duration, Instant};

use replicas::{Method, NatsServer, Partition, Replica};
use serde_json::Value;

use crate::numbered;

#[tokio::test]
async fn a_repeat_on_another_replica_gets_the_first_answer() {
    let nats = NatsServer::start().await;
    let one = Replica::start(Method::WebSocket, &nats.url(), &[]).await;
    let two = Replica::start(Method::EventStream, &nats.url(), &[]).await;
    let first = one.try_publish("a", "m", Some("k")).await;
    assert_eq!(first.status, 201);
    for (replica, topic) in [(&two, "a"), (&one, "a"), (&two, "b")] {
        let again = replica.try_publish(topic, "something else", Some("k")).await;
        assert_eq!(again.status, 200);
        assert_eq!(again.json, first.json);
    }
    assert_eq!(two.try_publish("a", "n", Some("other")).await.status, 201);
    let page = two.page("topic=a&topic=b").await;
    assert_eq!(page["messages"].as_array().unwrap().len(), 2);
    assert_eq!(page["messages"][0]["at"], first.json["at"], "the message has the time of the answer");
}

#[tokio::test]
async fn an_array_is_in_order_and_a_repeat_completes_it() {
    let nats = NatsServer::start().await;
    let one = Replica::start(Method::WebSocket, &nats.url(), &[]).await;
    let two = Replica::start(Method::LongPoll, &nats.url(), &[]).await;
    let texts = numbered("m", 0..20);
    // Another publisher's messages come in between.
    let others = two.publish_each("a", numbered("x", 0..20));
    let (answer, _) = tokio::join!(one.publish_array("a", &texts[..12], Some("k")), others);
    assert_eq!(answer.status, 201);
    // The first publication seems to have been interrupted.
    let again = two.publish_array("a", &texts, Some("k")).await;
    assert_eq!(again.status, 201);
    assert_eq!(again.json.as_array().unwrap()[..12], answer.json.as_array().unwrap()[..]);
    assert_eq!(one.publish_array("a", &texts, Some("k")).await.status, 200);

    let page = one.page("topic=a&limit=1000").await;
    let messages = page["messages"].as_array().unwrap();
    let ours: Vec<&Value> =
        messages.iter().filter(|message| message["text"].as_str().unwrap().starts_with('m')).collect();
    assert_eq!(ours.iter().map(|message| message["text"].as_str().unwrap()).collect::<Vec<_>>(), texts);
    let ids: Vec<_> = again.json.as_array().unwrap().iter().map(|placed| &placed["id"]).collect();
    assert_eq!(ours.iter().map(|message| &message["id"]).collect::<Vec<_>>(), ids);
    assert_eq!(messages.len(), 40);
}

/// The rest of an array goes to the topic of its beginning, whatever topic the repeat names.
#[tokio::test]
async fn a_repeat_for_another_topic_completes_the_first() {
    let nats = NatsServer::start().await;
    let replica = Replica::start(Method::LongPoll, &nats.url(), &[]).await;
    let texts = numbered("m", 0..4);
    replica.publish_array("a", &texts[..2], Some("k")).await;
    let again = replica.publish_array("b", &texts, Some("k")).await;
    assert_eq!(again.status, 201);
    let placed = again.json.as_array().unwrap();
    assert_eq!(placed.iter().map(|placed| placed["topic"].as_str().unwrap()).collect::<Vec<_>>(), ["a"; 4]);
    let page = replica.page("topic=a").await;
    let messages = page["messages"].as_array().unwrap();
    assert_eq!(messages.iter().map(|message| message["text"].as_str().unwrap()).collect::<Vec<_>>(), texts);
    assert!(replica.page("topic=b").await["messages"].as_array().unwrap().is_empty());
}

/// The time-out holds for each message, not for the array, and so it does for each that is stored already.
#[tokio::test]
async fn an_array_may_take_longer_than_one_message() {
    let nats = NatsServer::start().await;
    let network = Partition::slow(nats.port(), Duration::from_millis(25)).await;
    let flags = ["--publish-timeout", "1s"];
    let replica = Replica::start(Method::LongPoll, &network.url(), &flags).await;
    let texts = numbered("m", 0..40);
    let began = Instant::now();
    let first = replica.publish_array("a", &texts, Some("k")).await;
    assert_eq!(first.status, 201, "{first:?}");
    assert!(began.elapsed() > Duration::from_secs(2), "the array took no longer than the time-out");
    let again = replica.publish_array("a", &texts, Some("k")).await;
    assert_eq!((again.status, again.json), (200, first.json));
}

#[tokio::test]
async fn a_message_that_nats_does_not_take_is_too_large() {
    let nats = NatsServer::start().await;
    let flags = ["--max-message-bytes", "3MiB", "--max-body-bytes", "4MiB"];
    let replica = Replica::start(Method::LongPoll, &nats.url(), &flags).await;
    let answer = replica.try_publish("a", &"x".repeat(2 << 20), None).await;
    assert_eq!((answer.status, answer.text("error")), (413, "too_large"), "{answer:?}");
    replica.publish("a", "small").await;
}
