//! The process: flags, signals, exit codes.

use std::net::SocketAddr;

use testkit::{RawClient, ServiceProgram, Signal, signal};

const PROGRAM: ServiceProgram = ServiceProgram {
    path: env!("CARGO_BIN_EXE_longpoll-server"),
    name: "longpoll-server",
    version: env!("CARGO_PKG_VERSION"),
};

/// Sends a poll, and returns once the service has begun to look at it.
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
        let (process, address) = PROGRAM.start(&["--drain", "1s"]).await;
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

#[tokio::test]
async fn a_signal_is_heeded_as_soon_as_it_says_that_it_listens() {
    PROGRAM.heeds_an_early_signal().await;
}

#[tokio::test]
async fn a_second_signal_ends_it_at_once() {
    PROGRAM.ends_at_a_second_signal().await;
}

#[tokio::test]
async fn its_healthcheck_tells_whether_it_is_ready() {
    PROGRAM.checks_its_health().await;
}

#[tokio::test]
async fn an_address_that_is_taken_is_said_with_the_flag_to_change_it() {
    PROGRAM.says_that_its_address_is_taken().await;
}

#[tokio::test]
async fn flags_that_make_no_sense_are_refused() {
    PROGRAM.refuses_senseless_flags().await;
}

#[tokio::test]
async fn it_tells_its_version_and_every_flag() {
    PROGRAM.tells_its_version_and_flags(&["--hold"]).await;
}
