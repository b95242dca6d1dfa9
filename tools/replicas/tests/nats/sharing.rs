use async_nats::HeaderMap;
use replicas::{Client, NatsServer, Received, Replica};
use serde_json::Value;
use testkit::soon;

use crate::numbered;

#[tokio::test]
async fn all_replicas_deliver_the_same_messages_in_the_same_order_with_the_same_cursors() {
    let nats = NatsServer::start().await;
    let replicas = Replica::start_two_of_each(&nats.url(), &[]).await;
    let mut clients = Vec::new();
    for replica in &replicas {
        clients.push(Client::follow(replica, "topic=a.*&topic=b").await);
    }
    // All replicas take publications at the same time.
    let publishing = replicas.iter().enumerate().map(|(index, replica)| async move {
        let topic = ["a.x", "b", "a.y"][index % 3];
        replica.publish_each(topic, numbered(&format!("{index}-"), 0..20)).await
    });
    let published: Vec<String> = futures_util::future::join_all(publishing).await.concat();

    let mut first: Option<Vec<Received>> = None;
    for client in &mut clients {
        let mut received = Vec::new();
        for _ in 0..published.len() {
            received.push(client.next().await);
        }
        let ids = received.iter().map(|received| match received {
            Received::Message { id, .. } => id.clone(),
            Received::Gap { .. } => panic!("{received:?}"),
        });
        let mut ids: Vec<_> = ids.collect();
        ids.sort();
        let mut expected = published.clone();
        expected.sort();
        assert_eq!(ids, expected, "every id that a publisher was given is delivered once");
        assert_eq!(*first.get_or_insert_with(|| received.clone()), received);
    }
}

#[tokio::test]
async fn a_cursor_of_one_service_is_good_on_every_other() {
    let nats = NatsServer::start().await;
    let replicas = Replica::start_two_of_each(&nats.url(), &[]).await;
    let mut client = Client::follow(&replicas[0], "topic=a").await;
    for round in 0..24 {
        // One replica takes it and another delivers it, and either may be further.
        let text = format!("m{round}");
        replicas[(round * 5 + 1) % replicas.len()].publish("a", &text).await;
        assert_eq!(client.texts(1).await, [text]);
        client.move_to(&replicas[(round + 1) % replicas.len()]).await;
    }
}

#[tokio::test]
async fn a_message_can_be_read_once_it_is_confirmed() {
    let nats = NatsServer::start().await;
    let replicas = Replica::start_two_of_each(&nats.url(), &[]).await;
    for (replica, text) in replicas.iter().zip(numbered("m", 0..6)) {
        let id = replica.publish("a", &text).await;
        let page = replica.page("topic=a").await;
        let last = page["messages"].as_array().unwrap().last().unwrap();
        assert_eq!((last["id"].as_str(), last["text"].as_str()), (Some(&*id), Some(&*text)));
        assert_eq!(page["cursor"], id);
    }
    // The confirmation and the message race each other.
    for text in numbered("n", 0..300) {
        let id = replicas[0].publish("b", &text).await;
        assert_eq!(replicas[0].page("topic=b&since=now").await["cursor"], id);
    }
}

#[tokio::test]
async fn a_cursor_beyond_the_end_counts_as_one_of_another_history() {
    let nats = NatsServer::start().await;
    let replica = Replica::start(replicas::Method::LongPoll, &nats.url(), &[]).await;
    let id = replica.publish("a", "m").await;
    let (epoch, _) = id.split_once('-').unwrap();
    let page = replica.page(&format!("topic=a&since={epoch}-99")).await;
    assert_eq!(
        (page["gap"]["reason"].as_str(), page["gap"]["cursor"].as_str()),
        (Some("epoch"), Some(&*format!("{epoch}-0")))
    );
}

#[tokio::test]
async fn the_ticker_ticks_once_for_all_replicas() {
    let nats = NatsServer::start().await;
    let flags = ["--tick", "200ms", "--tick-text", "tick"];
    let mut replicas = Vec::new();
    for method in replicas::Method::ALL.into_iter().chain(replicas::Method::ALL) {
        replicas.push(Replica::begin(method, &nats.url(), &flags).await);
    }
    for replica in &replicas {
        replica.until_ready().await;
    }
    let mut client = Client::follow(&replicas[2], "topic=main").await;
    client.texts(10).await;
    let page = replicas[0].page("topic=main&limit=1000").await;
    let ticks = page["messages"].as_array().unwrap();
    let period = |tick: &Value| {
        let at = tick["at"].as_str().unwrap();
        let (minute, second) = (&at[14..16], &at[17..23]);
        let millis = minute.parse::<f64>().unwrap() * 60_000.0 + second.parse::<f64>().unwrap() * 1000.0;
        (millis / 200.0) as u64
    };
    let periods: Vec<_> = ticks.iter().map(period).collect();
    assert!(periods.windows(2).all(|two| two[0] != two[1]), "more than one tick in a period: {periods:?}");
}

#[tokio::test]
async fn any_nats_client_can_publish_and_invalid_messages_stall_nothing() {
    let nats = NatsServer::start().await;
    let replica = Replica::start(replicas::Method::WebSocket, &nats.url(), &[]).await;
    let mut client = Client::follow(&replica, "topic=orders").await;
    let jetstream = nats.jetstream().await;
    let mut bad_event = HeaderMap::new();
    bad_event.insert("Push-Event", "gap");
    for (subject, headers, payload) in [
        ("push.orders", HeaderMap::new(), &b"one"[..]),
        ("push.orders", HeaderMap::new(), b"\xff\xfe"),
        ("push.no!topic", HeaderMap::new(), b"x"),
        ("push.orders", bad_event, b"x"),
        ("push.orders", HeaderMap::new(), b"two"),
    ] {
        let ack = jetstream.publish_with_headers(subject, headers, payload.into()).await.unwrap();
        soon(ack.into_future()).await.unwrap();
    }
    assert_eq!(client.texts(2).await, ["one", "two"]);
    assert!(client.cursor.ends_with("-5"), "{client:?}");
    replica.until_ready().await;
}
