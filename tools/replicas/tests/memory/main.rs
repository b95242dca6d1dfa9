//! The memory that slow readers of older messages cost a service. A test binary of its own, since the service runs in this
//! process and its memory is measured.

#![allow(missing_docs, clippy::unwrap_used)]

use futures_util::future::join_all;
use replicas::{Method, NatsServer, NumberedMessages, Replica, SlowReader, resident_memory};

const MESSAGES: NumberedMessages = NumberedMessages { count: 1000, bytes: 16 << 10 };

const CLIENTS: usize = 32;

/// The pages that are kept, what fetches under way hold, and what is being written to each client. If each client had a
/// page of its own, it would be several times as much.
const BOUND: usize = 48 << 20;

fn resident() -> usize {
    resident_memory(std::process::id()).unwrap_or_default()
}

#[tokio::test]
async fn slow_readers_of_older_messages_share_bounded_memory_and_miss_nothing() {
    let nats = NatsServer::start().await;
    let roomy = Replica::start(Method::LongPoll, &nats.url(), &[]).await;
    let before = roomy.publish("slow", "before").await;
    roomy.server.stopped().await;
    MESSAGES.store(&nats.jetstream().await).await;

    let flags = ["--history-bytes", "256KiB", "--max-message-bytes", "32KiB", "--write-timeout", "1h"];
    let small = Replica::start(Method::EventStream, &nats.url(), &flags).await;
    let at_first = resident();
    let mut readers = SlowReader::connect_all(small.server.address(), CLIENTS, MESSAGES, &before).await;
    // Each reads a message and stops, so that the service is blocked in its next write.
    join_all(readers.iter_mut().map(SlowReader::read)).await;
    let mut most = resident();
    for _ in 0..20 {
        join_all(readers.iter_mut().map(SlowReader::read)).await;
        most = most.max(resident());
    }
    let more = most.saturating_sub(at_first);
    assert!(more <= BOUND, "{CLIENTS} slow clients cost {} KiB", more >> 10);
    join_all(readers.iter_mut().map(SlowReader::read_all)).await;
    let more = resident().saturating_sub(at_first);
    assert!(more <= BOUND, "{CLIENTS} clients that have read everything cost {} KiB", more >> 10);
}
