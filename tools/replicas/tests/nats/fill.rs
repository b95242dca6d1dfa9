use async_nats::jetstream::stream::Stream;
use replicas::{Client, Method, NatsServer, Replica};
use serde_json::Value;
use testkit::soon;

use crate::numbered;

fn texts(page: &Value) -> Vec<&str> {
    page["messages"].as_array().unwrap().iter().map(|message| message["text"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_new_replica_has_everything_before_it_is_ready() {
    let nats = NatsServer::start().await;
    let old = Replica::start(Method::LongPoll, &nats.url(), &[]).await;
    let jetstream = nats.jetstream().await;
    let mut acks = Vec::new();
    for text in numbered("m", 0..3000) {
        let topic = text.len() * 7 % 20 + text.bytes().map(usize::from).sum::<usize>() % 20;
        acks.push(jetstream.publish(format!("push.t.{topic}"), text.into()).await.unwrap());
    }
    for ack in acks {
        ack.await.unwrap();
    }
    let new = Replica::start(Method::EventStream, &nats.url(), &[]).await;
    let mut since = "earliest".to_owned();
    for _ in 0..3 {
        let query = format!("topic=%3E&limit=1000&since={since}");
        let page = new.page(&query).await;
        assert_eq!(texts(&page).len(), 1000);
        assert_eq!(page, old.page(&query).await);
        since = page["cursor"].as_str().unwrap().to_owned();
    }
    let mut client = Client::resume(&new, "topic=%3E", &since).await;
    old.publish("t.1", "next").await;
    assert_eq!(client.texts(1).await, ["next"]);
}

#[tokio::test]
async fn a_new_replica_reports_losses_from_before_its_time_and_no_others() {
    let nats = NatsServer::start().await;
    let flags = ["--history", "5"];
    let old = Replica::start(Method::LongPoll, &nats.url(), &flags).await;
    let quiet = old.publish_each("quiet", numbered("q", 0..3)).await;
    let busy = old.publish_each("busy", numbered("b", 0..20)).await;
    let new = Replica::start(Method::LongPoll, &nats.url(), &flags).await;
    for replica in [&old, &new] {
        let page = replica.page(&format!("topic=quiet&since={}", quiet[0])).await;
        assert_eq!((&page["gap"], texts(&page)), (&Value::Null, vec!["q1", "q2"]));
        let page = replica.page(&format!("topic=never&since={}", quiet[0])).await;
        assert_eq!(page["gap"], Value::Null);
        let page = replica.page(&format!("topic=busy&since={}", busy[14])).await;
        assert_eq!((&page["gap"], texts(&page)), (&Value::Null, vec!["b15", "b16", "b17", "b18", "b19"]));
        for topic in ["busy", "*"] {
            let page = replica.page(&format!("topic={topic}&since={}", busy[13])).await;
            let expected = (Some("expired"), Some(&*busy[14]));
            assert_eq!((page["gap"]["reason"].as_str(), page["gap"]["cursor"].as_str()), expected, "{topic}");
            assert_eq!(texts(&page), ["b15", "b16", "b17", "b18", "b19"]);
        }
    }
}

/// The stream counts an invalid message as any other, and gives up an older one for it.
#[tokio::test]
async fn an_invalid_message_counts_among_those_of_its_topic() {
    let nats = NatsServer::start().await;
    let flags = ["--history", "5"];
    let old = Replica::start(Method::LongPoll, &nats.url(), &flags).await;
    let before = old.publish("other", "o").await;
    let ids = old.publish_each("a", numbered("m", 0..20)).await;
    nats.jetstream().await.publish("push.a", vec![0xff].into()).await.unwrap().await.unwrap();
    old.publish_each("a", numbered("n", 0..3)).await;
    let new = Replica::start(Method::EventStream, &nats.url(), &flags).await;
    for since in [&before, &ids[10]] {
        let page = new.page(&format!("topic=a&since={since}")).await;
        assert_eq!(page["gap"]["reason"], "expired", "{page}");
        assert_eq!(texts(&page), ["m19", "n0", "n1", "n2"]);
    }
}

#[tokio::test]
async fn a_new_replica_reports_messages_that_were_given_up_by_age() {
    let nats = NatsServer::start().await;
    let flags = ["--history-age", "1s", "--publish-timeout", "900ms"];
    let old = Replica::start(Method::LongPoll, &nats.url(), &flags).await;
    let ids = old.publish_each("a", numbered("m", 0..3)).await;
    let stream: Stream = nats.jetstream().await.get_stream("PUSH").await.unwrap();
    soon(async { while stream.get_info().await.unwrap().state.messages > 0 {} }).await;
    let new = Replica::start(Method::LongPoll, &nats.url(), &flags).await;
    for topic in ["a", "never", "*"] {
        let page = new.page(&format!("topic={topic}&since={}", ids[1])).await;
        let expected = (Some("expired"), Some(&*ids[2]));
        assert_eq!((page["gap"]["reason"].as_str(), page["gap"]["cursor"].as_str()), expected, "{topic}");
        let page = new.page(&format!("topic={topic}&since={}", ids[2])).await;
        assert_eq!((&page["gap"], page["cursor"].as_str()), (&Value::Null, Some(&*ids[2])), "{topic}");
    }
    let next = new.publish("a", "next").await;
    assert_eq!(next.rsplit('-').next(), Some("4"));
}

#[tokio::test]
async fn messages_given_up_while_a_replica_was_cut_off_are_reported() {
    let nats = NatsServer::start().await;
    let network = replicas::Partition::before(nats.port()).await;
    let flags = ["--history", "5"];
    let near = Replica::start(Method::LongPoll, &nats.url(), &flags).await;
    let cut_off = Replica::start(Method::EventStream, &network.url(), &flags).await;
    let mut busy = Client::follow(&cut_off, "topic=busy").await;
    let mut quiet = Client::follow(&cut_off, "topic=quiet").await;
    near.publish("busy", "before").await;
    near.publish("quiet", "before").await;
    for client in [&mut busy, &mut quiet] {
        assert_eq!(client.texts(1).await, ["before"]);
    }
    network.cut(true);
    cut_off.until_not_ready("not connected").await;
    near.publish("quiet", "q").await;
    near.publish_each("busy", numbered("b", 0..20)).await;
    network.cut(false);
    assert_eq!(busy.texts(6).await, ["gap: lagged", "b15", "b16", "b17", "b18", "b19"]);
    // The stream still has everything of the other topic.
    assert_eq!(quiet.texts(1).await, ["q"]);
}
