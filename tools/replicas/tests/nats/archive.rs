use replicas::{Client, Method, NatsServer, Received, Replica};
use serde_json::Value;

use crate::numbered;

/// Flags of a replica whose memory holds less than a hundred of the texts here; the stream, which another replica creates,
/// holds more.
const SMALL: [&str; 4] = ["--history-bytes", "64KiB", "--max-message-bytes", "4KiB"];

/// Stores texts of some 400 bytes as any NATS client can, which is much faster than through a replica.
async fn store(nats: &NatsServer, topic: &str, texts: &[String]) {
    let jetstream = nats.jetstream().await;
    let mut acks = Vec::new();
    for text in texts {
        acks.push(jetstream.publish(format!("push.{topic}"), long(text).into()).await.unwrap());
    }
    for ack in acks {
        ack.await.unwrap();
    }
}

fn long(text: &str) -> String {
    format!("{text} {}", "x".repeat(400))
}

fn longs(texts: Vec<String>) -> Vec<String> {
    texts.iter().map(|text| long(text)).collect()
}

#[tokio::test]
async fn a_cursor_older_than_memory_is_served_from_the_stream() {
    let nats = NatsServer::start().await;
    let roomy = Replica::start(Method::LongPoll, &nats.url(), &[]).await;
    let first = roomy.publish("a.x", "first").await;
    for round in 0..3 {
        store(&nats, "a.x", &numbered(&format!("x{round}-"), 0..150)).await;
        store(&nats, "b.y", &numbered(&format!("y{round}-"), 0..150)).await;
    }
    let rounds = |name: &str| longs((0..3).flat_map(|round| numbered(&format!("{name}{round}-"), 0..150)).collect());
    let both: Vec<_> =
        (0..3).flat_map(|round| ["x", "y"].map(|name| numbered(&format!("{name}{round}-"), 0..150)).concat()).collect();
    let cases = [
        ("topic=a.x", rounds("x")),
        ("topic=*.y", rounds("y")),
        // These filters have topics in common.
        ("topic=a.*&topic=*.x&topic=b.y&topic=*.*", longs(both.clone())),
        ("topic=a.*&topic=*.y", longs(both)),
    ];
    for method in Method::ALL {
        let small = Replica::start(method, &nats.url(), &SMALL).await;
        for (topics, expected) in &cases {
            let mut client = Client::resume(&small, topics, &first).await;
            assert_eq!(client.texts(expected.len()).await, *expected, "{topics} {method:?}");
        }
    }
    let small = Replica::start(Method::WebSocket, &nats.url(), &SMALL).await;
    let mut client = Client::resume(&small, "topic=a.x", &first).await;
    roomy.publish("a.x", "live").await;
    client.texts(450).await;
    assert_eq!(client.texts(1).await, ["live"], "after the stream it reads from memory");
}

/// Pages of the archive have a size, and any NATS client can publish a message that exceeds it.
#[tokio::test]
async fn messages_larger_than_a_page_are_read_from_the_stream() {
    let nats = NatsServer::start().await;
    let roomy = Replica::start(Method::LongPoll, &nats.url(), &[]).await;
    let first = roomy.publish("a", "first").await;
    let sizes = [1000, 600_000, 1_000_000, 1_000_000, 10, 300_000, 300_000, 300_000, 500_000, 10, 1_000_000, 10];
    let texts: Vec<_> =
        sizes.iter().enumerate().map(|(index, size)| format!("{index} {}", "x".repeat(*size))).collect();
    let jetstream = nats.jetstream().await;
    for text in &texts {
        jetstream.publish("push.a", text.clone().into()).await.unwrap().await.unwrap();
    }
    store(&nats, "a", &numbered("m", 0..300)).await;
    let small = Replica::start(Method::WebSocket, &nats.url(), &SMALL).await;
    let mut client = Client::resume(&small, "topic=a", &first).await;
    for text in &texts {
        let received = client.texts(1).await.remove(0);
        assert!(received == *text, "received {} bytes, not {}", received.len(), text.len());
    }
    assert_eq!(client.texts(300).await, longs(numbered("m", 0..300)));
}

#[tokio::test]
async fn pages_reach_back_into_the_stream() {
    let nats = NatsServer::start().await;
    let roomy = Replica::start(Method::LongPoll, &nats.url(), &[]).await;
    let first = roomy.publish("a", "first").await;
    let texts = numbered("m", 0..700);
    store(&nats, "a", &texts).await;
    let small = Replica::start(Method::LongPoll, &nats.url(), &SMALL).await;
    let (mut cursor, mut read) = (first, Vec::new());
    loop {
        let page = small.page(&format!("topic=a&since={cursor}&limit=90")).await;
        assert_eq!(page["gap"], Value::Null);
        let messages = page["messages"].as_array().unwrap();
        assert!(!messages.is_empty() && messages.len() <= 90);
        read.extend(messages.iter().map(|message| message["text"].as_str().unwrap().to_owned()));
        cursor = page["cursor"].as_str().unwrap().to_owned();
        if page["more"] == false {
            break;
        }
    }
    assert_eq!(read, longs(texts));
}

#[tokio::test]
async fn a_client_that_memory_has_outrun_reads_on_from_the_stream() {
    let nats = NatsServer::start().await;
    let _roomy = Replica::start(Method::LongPoll, &nats.url(), &[]).await;
    let mut small = Vec::new();
    for method in Method::ALL {
        small.push(Replica::start(method, &nats.url(), &SMALL).await);
    }
    let mut clients = Vec::new();
    for replica in &small {
        clients.push(Client::follow(replica, "topic=a").await);
    }
    // The clients do not read meanwhile, and more is published at once than memory holds.
    let texts = numbered("m", 0..3000);
    store(&nats, "a", &texts[..900]).await;
    let expected = longs(texts[..900].to_vec());
    for client in &mut clients {
        assert_eq!(client.texts(900).await, expected);
    }
}

#[tokio::test]
async fn messages_that_the_stream_gave_up_are_a_gap() {
    let nats = NatsServer::start().await;
    let limited = ["--history", "100"];
    let roomy = Replica::start(Method::LongPoll, &nats.url(), &limited).await;
    let first = roomy.publish("a", "first").await;
    store(&nats, "a", &numbered("m", 0..300)).await;
    let small = Replica::start(Method::EventStream, &nats.url(), &[&SMALL[..], &limited].concat()).await;
    for replica in [&roomy, &small] {
        let mut client = Client::resume(replica, "topic=a", &first).await;
        let Received::Gap { reason, since, cursor } = client.next().await else { panic!("there is no gap") };
        assert_eq!((&*reason, &since), ("expired", &first));
        let (_, offset) = cursor.split_once('-').unwrap();
        let offset: usize = offset.parse().unwrap();
        assert!(offset >= 201, "the missing messages are before the cursor: {offset}");
        let expected = longs(numbered("m", offset - 1..300));
        assert_eq!(client.texts(expected.len()).await, expected);
        // After the last missing message, everything is there.
        let (epoch, _) = first.split_once('-').unwrap();
        let mut client = Client::resume(replica, "topic=a", &format!("{epoch}-201")).await;
        assert_eq!(client.texts(100).await, longs(numbered("m", 200..300)), "{:?}", replica.method);
    }
}

#[tokio::test]
async fn while_nats_is_away_clients_wait_for_older_messages() {
    let mut nats = NatsServer::start().await;
    let roomy = Replica::start(Method::LongPoll, &nats.url(), &[]).await;
    let first = roomy.publish("a", "first").await;
    let texts = numbered("m", 0..300);
    store(&nats, "a", &texts).await;
    let small = [
        Replica::start(Method::EventStream, &nats.url(), &SMALL).await,
        Replica::start(Method::WebSocket, &nats.url(), &SMALL).await,
    ];
    nats.kill();
    small[0].until_not_ready("not connected").await;
    let mut clients =
        [Client::resume(&small[0], "topic=a", &first).await, Client::resume(&small[1], "topic=a", &first).await];
    let page = small[0].get(&format!("/messages?topic=a&since={first}")).await;
    assert_eq!((page.status, page.text("error")), (503, "not_ready"));
    assert!(page.retry_after.is_some());
    nats.run().await;
    for client in &mut clients {
        assert_eq!(client.texts(300).await, longs(texts.clone()));
    }
}
