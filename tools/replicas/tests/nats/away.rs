use std::time::Duration;

use futures_util::TryStreamExt;
use replicas::{Client, Method, NatsServer, Partition, Replica};

use crate::numbered;

const AWAY: &str = "not connected to NATS";

#[tokio::test]
async fn a_server_that_is_killed_and_comes_back_loses_nothing() {
    let mut nats = NatsServer::start().await;
    let replicas = Replica::start_two_of_each(&nats.url(), &["--publish-timeout", "15s"]).await;
    let mut clients = Vec::new();
    for replica in &replicas {
        clients.push(Client::follow(replica, "topic=a").await);
    }
    let publisher = &replicas[1];
    publisher.publish_each("a", numbered("before", 0..50)).await;
    // One publication is under way when the server is gone, and is confirmed when it is back.
    let (under_way, ()) = tokio::join!(publisher.try_publish("a", "meanwhile", None), async {
        nats.kill();
        nats.run().await;
    });
    if under_way.status != 201 {
        // The publication came too late, and was refused before anything was sent.
        assert_eq!((under_way.status, under_way.text("error")), (503, "not_ready"), "{under_way:?}");
        publisher.until_ready().await;
        publisher.publish("a", "meanwhile").await;
    }
    for replica in &replicas {
        replica.until_ready().await;
    }
    replicas[0].publish_each("a", numbered("after", 0..50)).await;
    let expected = [numbered("before", 0..50), vec!["meanwhile".to_owned()], numbered("after", 0..50)].concat();
    for client in &mut clients {
        assert_eq!(client.texts(expected.len()).await, expected);
    }
}

#[tokio::test]
async fn while_nats_is_suspended_subscribers_stay_and_publishers_are_refused() {
    let nats = NatsServer::start().await;
    let flags = ["--publish-timeout", "500ms"];
    let (one, two) = (
        Replica::start(Method::EventStream, &nats.url(), &flags).await,
        Replica::start(Method::WebSocket, &nats.url(), &flags).await,
    );
    let mut clients = [Client::follow(&one, "topic=a").await, Client::follow(&two, "topic=a").await];
    let ids = one.publish_each("a", numbered("m", 0..10)).await;
    for client in &mut clients {
        client.texts(5).await;
    }

    nats.suspend().await;
    let unconfirmed = one.try_publish("a", "unconfirmed", Some("k")).await;
    assert_eq!((unconfirmed.status, unconfirmed.text("error")), (503, "in_doubt"), "{unconfirmed:?}");
    assert!(
        unconfirmed.retry_after.is_some() && unconfirmed.text("message").contains("Idempotency-Key"),
        "{unconfirmed:?}"
    );
    for replica in [&one, &two] {
        // Clients are served, so that no balancer takes all replicas away at once.
        let answer = replica.until_not_ready(AWAY).await;
        assert_eq!((answer.status, answer.text("status")), (200, "degraded"), "{answer:?}");
        assert_eq!(answer.json["publishing"], false);
        assert_eq!(replica.get("/livez").await.status, 200);
    }
    let refused = one.try_publish("a", "refused", None).await;
    assert_eq!((refused.status, refused.text("error")), (503, "not_ready"), "it is refused at once: {refused:?}");
    // Messages in memory are served, to clients that stay and to new ones.
    for client in &mut clients {
        assert_eq!(client.texts(5).await, numbered("m", 5..10));
    }
    let mut newcomer = Client::resume(&two, "topic=a", &ids[6]).await;
    assert_eq!(newcomer.texts(3).await, numbered("m", 7..10));

    nats.resume();
    for replica in [&one, &two] {
        replica.until_ready().await;
    }
    // It is there once, whether the first attempt stored it or not.
    assert!(matches!(two.try_publish("a", "unconfirmed", Some("k")).await.status, 200 | 201));
    two.publish("a", "after").await;
    for client in clients.iter_mut().chain([&mut newcomer]) {
        assert_eq!(client.texts(2).await, ["unconfirmed", "after"]);
    }
}

#[tokio::test]
async fn a_replica_that_is_cut_off_says_so_and_catches_up() {
    let nats = NatsServer::start().await;
    let network = Partition::before(nats.port()).await;
    let near = Replica::start(Method::LongPoll, &nats.url(), &[]).await;
    let cut_off = Replica::start(Method::EventStream, &network.url(), &[]).await;
    let mut client = Client::follow(&cut_off, "topic=a").await;
    near.publish("a", "before").await;
    assert_eq!(client.texts(1).await, ["before"]);

    network.cut(true);
    cut_off.until_not_ready(AWAY).await;
    near.publish_each("a", numbered("m", 0..30)).await;
    // A client that has come further on another replica gets no gap of another history.
    let further = near.page("topic=a&limit=1000").await["cursor"].as_str().unwrap().to_owned();
    let answer = cut_off.get(&format!("/messages?topic=a&since={further}")).await;
    assert_eq!((answer.status, answer.text("error")), (503, "not_ready"), "{answer:?}");

    network.cut(false);
    cut_off.until_ready().await;
    // Nor does one that comes before this replica has caught up.
    network.cut(true);
    let further = near.publish("b", "b").await;
    let path = format!("/messages?topic=b&since={further}");
    let (answer, ()) = tokio::join!(cut_off.get(&path), async {
        // The one thread of this test has begun the other request by then.
        assert_eq!(cut_off.get("/livez").await.status, 200);
        network.cut(false);
    });
    assert_eq!((answer.status, &answer.json["gap"]), (200, &serde_json::Value::Null), "{answer:?}");

    assert_eq!(client.texts(30).await, numbered("m", 0..30));
    near.publish("a", "after").await;
    assert_eq!(client.texts(1).await, ["after"]);
}

#[tokio::test]
async fn a_replica_that_is_ready_has_what_it_had_missed() {
    let nats = NatsServer::start().await;
    // The network is too slow to carry everything at once.
    let network = Partition::slow(nats.port(), Duration::from_millis(20)).await;
    let near = Replica::start(Method::LongPoll, &nats.url(), &[]).await;
    let cut_off = Replica::start(Method::EventStream, &network.url(), &[]).await;
    network.cut(true);
    cut_off.until_not_ready(AWAY).await;
    let texts: Vec<_> = numbered("m", 0..600).iter().map(|text| format!("{text} {}", "x".repeat(3000))).collect();
    for texts in texts.chunks(200) {
        assert_eq!(near.publish_array("a", texts, None).await.status, 201);
    }
    network.cut(false);
    cut_off.until_ready().await;
    let page = cut_off.page("topic=a&limit=1000").await;
    assert_eq!(page["messages"].as_array().unwrap().len(), 600);
}

/// A replica that does not know yet that the stream was created again sends no gap to clients that have cursors of the new one.
#[tokio::test]
async fn a_replica_that_is_a_history_behind_sends_no_gap() {
    let nats = NatsServer::start().await;
    let network = Partition::before(nats.port()).await;
    let near = Replica::start(Method::LongPoll, &nats.url(), &[]).await;
    let cut_off = Replica::start(Method::EventStream, &network.url(), &[]).await;
    let old = near.publish("a", "old").await;
    network.cut(true);
    nats.jetstream().await.delete_stream("PUSH").await.unwrap();
    let new = near.publish("a", "new").await;
    assert_ne!(new.split_once('-').unwrap().0, old.split_once('-').unwrap().0);
    let path = format!("/messages?topic=a&since={new}");
    let answer = cut_off.get(&path).await;
    assert_eq!((answer.status, answer.text("error")), (503, "not_ready"), "{answer:?}");

    network.cut(false);
    cut_off.until_ready().await;
    let page = cut_off.page(&format!("topic=a&since={new}")).await;
    assert_eq!(page["gap"], serde_json::Value::Null, "{page}");
    let page = cut_off.page(&format!("topic=a&since={old}")).await;
    assert_eq!(page["gap"]["reason"], "epoch");
}

#[tokio::test]
async fn a_replica_waits_for_nats_to_come() {
    let mut nats = NatsServer::start().await;
    nats.kill();
    for method in Method::ALL {
        let replica = Replica::begin(method, &nats.url(), &[]).await;
        // Without a history there is nothing to serve.
        let answer = replica.until_not_ready(AWAY).await;
        assert_eq!((answer.status, answer.text("error")), (503, "not_ready"), "{answer:?}");
        assert_eq!(replica.get("/livez").await.status, 200);
        let path = match method {
            Method::WebSocket => "/messages",
            Method::LongPoll => "/poll?wait=0",
            Method::EventStream => "/events",
        };
        for answer in [replica.get(path).await, replica.try_publish("a", "m", None).await] {
            assert_eq!((answer.status, answer.text("error")), (503, "not_ready"), "{answer:?}");
            assert!(answer.retry_after.is_some());
        }
        nats.run().await;
        replica.until_ready().await;
        nats.kill();
    }
}

#[tokio::test]
async fn after_a_reconnect_nothing_is_delivered_twice() {
    let mut nats = NatsServer::start().await;
    let writer = Replica::start(Method::LongPoll, &nats.url(), &[]).await;
    writer.publish_each("a", numbered("old", 0..20)).await;
    // This replica has read everything from the store, and no message has come since.
    let idle = Replica::start(Method::WebSocket, &nats.url(), &[]).await;
    let mut client = Client::follow(&idle, "topic=a").await;
    for _ in 0..2 {
        nats.kill();
        idle.until_not_ready(AWAY).await;
        nats.run().await;
        idle.until_ready().await;
    }
    writer.until_ready().await;
    writer.publish("a", "new").await;
    assert_eq!(client.texts(1).await, ["new"]);
    assert_eq!(idle.page("topic=a&limit=1000").await["messages"].as_array().unwrap().len(), 21);
}

/// The client library creates such a consumer again from the very first message.
#[tokio::test]
async fn a_consumer_that_disappears_before_it_has_delivered_anything_repeats_nothing() {
    let mut nats = NatsServer::start().await;
    let replica = Replica::start(Method::WebSocket, &nats.url(), &[]).await;
    replica.publish_each("a", numbered("old", 0..20)).await;
    let mut client = Client::follow(&replica, "topic=a").await;
    nats.kill();
    replica.until_not_ready(AWAY).await;
    nats.run().await;
    replica.until_ready().await;
    let stream = nats.jetstream().await.get_stream("PUSH").await.unwrap();
    let names = async || stream.consumer_names().try_collect::<Vec<_>>().await.unwrap();
    let old = names().await;
    for name in &old {
        stream.delete_consumer(name).await.unwrap();
    }
    testkit::soon(async { while names().await.iter().all(|name| old.contains(name)) {} }).await;
    replica.publish("a", "new").await;
    assert_eq!(client.texts(1).await, ["new"]);
    assert_eq!(replica.page("topic=a&limit=1000").await["messages"].as_array().unwrap().len(), 21);
}

#[tokio::test]
async fn a_consumer_that_disappears_is_made_again() {
    let nats = NatsServer::start().await;
    let replica = Replica::start(Method::EventStream, &nats.url(), &[]).await;
    let mut client = Client::follow(&replica, "topic=a").await;
    replica.publish("a", "1").await;
    let jetstream = nats.jetstream().await;
    let stream = jetstream.get_stream("PUSH").await.unwrap();
    let mut names = stream.consumer_names();
    while let Some(name) = futures_util::StreamExt::next(&mut names).await {
        stream.delete_consumer(&name.unwrap()).await.unwrap();
    }
    for text in ["2", "3"] {
        jetstream.publish("push.a", text.into()).await.unwrap().await.unwrap();
    }
    assert_eq!(client.texts(3).await, ["1", "2", "3"]);
}
