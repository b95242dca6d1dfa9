//! The figures that a process counts of its part in the stream.

use replicas::{Client, Method, NatsServer, Partition, Replica};
use testkit::metrics::Samples;

use crate::numbered;

/// Reads the metrics until they are as expected.
async fn until(replica: &Replica, expected: impl Fn(&Samples) -> bool) -> Samples {
    testkit::metrics::until(replica.server.address(), expected).await
}

fn is(samples: &Samples, name: &str, value: f64) -> bool {
    (samples.sum(name, &[]) - value).abs() < 0.1
}

#[tokio::test]
async fn connections_and_publications_that_wait_are_counted() {
    let mut nats = NatsServer::start().await;
    let flags = ["--publish-timeout", "15s"];
    let replica = Replica::start(Method::EventStream, &nats.url(), &flags).await;
    replica.publish("a", "before").await;
    let samples = Samples::of(replica.server.address()).await;
    for (name, value) in [
        ("push_nats_connected", 1.0),
        ("push_nats_reconnects_total", 0.0),
        ("push_nats_publications_waiting", 0.0),
        ("push_nats_publish_repeats_total", 0.0),
        ("push_nats_behind_messages", 0.0),
        ("push_archive_read_failures_total", 0.0),
    ] {
        assert!(samples.has(name) && is(&samples, name, value), "{name}: {samples:?}");
    }
    nats.suspend().await;
    let (published, ()) = tokio::join!(replica.try_publish("a", "meanwhile", None), async {
        until(&replica, |samples| is(samples, "push_nats_publications_waiting", 1.0)).await;
        until(&replica, |samples| samples.sum("push_nats_publish_repeats_total", &[]) >= 1.0).await;
        nats.resume();
    });
    assert_eq!(published.status, 201, "{published:?}");
    nats.kill();
    until(&replica, |samples| is(samples, "push_nats_connected", 0.0)).await;
    nats.run().await;
    let samples = until(&replica, |samples| is(samples, "push_nats_connected", 1.0)).await;
    assert!(samples.sum("push_nats_reconnects_total", &[]) >= 1.0, "{samples:?}");
    assert!(is(&samples, "push_nats_publications_waiting", 0.0), "{samples:?}");
}

/// Messages that memory does not hold are read from the stream, which counts.
#[tokio::test]
async fn reads_of_what_memory_does_not_hold_are_counted() {
    let nats = NatsServer::start().await;
    let network = Partition::before(nats.port()).await;
    let roomy = Replica::start(Method::LongPoll, &nats.url(), &[]).await;
    let first = roomy.publish("a", "first").await;
    roomy.publish_each("a", numbered(&"x".repeat(400), 0..200)).await;
    let small = ["--history-bytes", "64KiB", "--max-message-bytes", "4KiB"];
    let replica = Replica::start(Method::EventStream, &network.url(), &small).await;
    let before = Samples::of(replica.server.address()).await;
    assert!(is(&before, "push_archive_read_seconds_count", 0.0), "{before:?}");
    let mut client = Client::resume(&replica, "topic=a", &first).await;
    assert_eq!(client.texts(200).await.len(), 200);
    let samples = Samples::of(replica.server.address()).await;
    assert!(samples.sum("push_archive_read_seconds_count", &[]) >= 1.0, "{samples:?}");
    assert!(samples.sum("push_archive_read_seconds_sum", &[]) > 0.0, "{samples:?}");
}
