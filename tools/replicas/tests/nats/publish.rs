use std::time::{Duration, Instant};

use async_nats::jetstream::message::PublishMessage;
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
    for replica in [&two, &one] {
        let again = replica.try_publish("a", "m", Some("k")).await;
        assert_eq!((again.status, &again.json["repeated"]), (200, &Value::Bool(true)));
        assert_eq!((&again.json["id"], &again.json["at"]), (&first.json["id"], &first.json["at"]));
    }
    for (topic, text) in [("a", "something else"), ("b", "m")] {
        let refused = two.try_publish(topic, text, Some("k")).await;
        assert_eq!((refused.status, refused.text("error")), (422, "key_reused"), "{refused:?}");
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
    // An interrupted publication has left these.
    let jetstream = nats.jetstream().await;
    for (index, text) in texts[..12].iter().enumerate() {
        let message = PublishMessage::build().payload(text.clone().into()).message_id(format!("k {index}"));
        jetstream.send_publish("push.a", message).await.unwrap().await.unwrap();
    }
    // Another publisher's messages come in between.
    let others = two.publish_each("a", numbered("x", 0..20));
    let (again, _) = tokio::join!(one.publish_array("a", &texts, Some("k")), others);
    assert_eq!(again.status, 201);
    let repeat = two.publish_array("a", &texts, Some("k")).await;
    assert_eq!(repeat.status, 200);
    assert!(repeat.json.as_array().unwrap().iter().all(|placed| placed["repeated"] == true), "{repeat:?}");

    let page = one.page("topic=a&limit=1000").await;
    let messages = page["messages"].as_array().unwrap();
    let ours: Vec<&Value> =
        messages.iter().filter(|message| message["text"].as_str().unwrap().starts_with('m')).collect();
    assert_eq!(ours.iter().map(|message| message["text"].as_str().unwrap()).collect::<Vec<_>>(), texts);
    let ids: Vec<_> = again.json.as_array().unwrap().iter().map(|placed| &placed["id"]).collect();
    assert_eq!(ours.iter().map(|message| &message["id"]).collect::<Vec<_>>(), ids);
    assert_eq!(messages.len(), 40);
}

/// Of an array, the stream knows each message by itself; the messages carry what the whole array was.
#[tokio::test]
async fn another_array_under_a_used_key_is_refused_before_anything_is_appended() {
    let nats = NatsServer::start().await;
    let one = Replica::start(Method::LongPoll, &nats.url(), &[]).await;
    let two = Replica::start(Method::EventStream, &nats.url(), &[]).await;
    let texts = numbered("m", 0..4);
    assert_eq!(one.publish_array("a", &texts[..2], Some("k")).await.status, 201);
    let other_end = [texts[0].clone(), texts[3].clone()];
    for (topic, array) in [("a", &texts[..]), ("a", &texts[..1]), ("b", &texts[..2]), ("a", &other_end[..])] {
        let refused = two.publish_array(topic, array, Some("k")).await;
        assert_eq!((refused.status, refused.text("error")), (422, "key_reused"), "{refused:?}");
    }
    let page = one.page("topic=a&topic=b").await;
    assert_eq!(page["messages"].as_array().unwrap().len(), 2);
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
    assert_eq!(again.status, 200);
    let ids = |answer: &Value| answer.as_array().unwrap().iter().map(|placed| placed["id"].clone()).collect::<Vec<_>>();
    assert_eq!(ids(&again.json), ids(&first.json));
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
