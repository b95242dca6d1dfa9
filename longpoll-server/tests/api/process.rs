//! The process: flags, signals, exit codes.

use std::net::SocketAddr;

use testkit::{RawClient, Service, Signal, signal};

use crate::helpers::LongPolling;

testkit::lifecycle_behaviours!(LongPolling);
testkit::limit_behaviours!(LongPolling);

/// Sends a poll, and returns once the service has begun to read it.
async fn poll(address: SocketAddr) -> RawClient {
    let mut client = RawClient::connect(address).await;
    // A connection serves one request after the other.
    client.send("GET /livez HTTP/1.1\r\nhost: test\r\n\r\nGET /poll?since=now HTTP/1.1\r\nhost: test\r\n\r\n").await;
    client.read_until("live\"}").await;
    client
}

#[tokio::test]
async fn on_sigterm_and_sigint_polls_are_answered_and_it_exits_with_0() {
    for stop in [Signal::SIGTERM, Signal::SIGINT] {
        let (process, address) = LongPolling::PROGRAM.start(&["--drain", "1s"]).await;
        let mut clients = [poll(address).await, poll(address).await];
        signal(&process, stop);
        for client in &mut clients {
            // It was held, or came a moment too late to be.
            let answer = client.read_to_end().await;
            assert!(answer.contains("\"messages\":[]") || answer.contains("\"draining\""), "{answer}");
        }
        assert_eq!(process.ended().await.code, Some(0), "{stop}");
    }
}
