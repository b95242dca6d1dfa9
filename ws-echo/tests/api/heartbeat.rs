//! Heartbeats, and clients that do not answer them.

use std::time::{Duration, Instant};

use testkit::{HUGE_ALLOWED, huge, publish};
use tokio_tungstenite::tungstenite::Message;

use crate::helpers::{Ws, spawn_app};
use crate::raw::{FIN, PING, PONG, TEXT, frame, open, read_close, read_frame};

#[tokio::test]
async fn a_quiet_client_is_pinged_and_stays_as_long_as_it_answers() {
    let server = spawn_app(&["--heartbeat", "1s"]).await;
    let (mut echo, mut feed) = (Ws::open(&server, "/").await, Ws::open(&server, "/feed").await);
    tokio::join!(wait_for_pings(&mut echo, 3), wait_for_pings(&mut feed, 3));
}

/// Waits until the service has pinged so often. The client's library answers.
async fn wait_for_pings(ws: &mut Ws, count: usize) {
    let mut pings = 0;
    while pings < count {
        if let Message::Ping(_) = ws.any().await {
            pings += 1;
        }
    }
}

#[tokio::test]
async fn a_client_that_gives_no_sign_of_life_is_closed_with_1008() {
    let server = spawn_app(&["--heartbeat", "200ms"]).await;
    for path in ["/", "/feed?topic=quiet"] {
        let asked = Instant::now();
        let mut client = open(server.address(), path).await;
        let (code, before) = read_close(&mut client).await;
        assert_eq!(code, 1008);
        assert!(asked.elapsed() >= Duration::from_millis(400), "it has two heartbeats");
        assert!(before.iter().any(|(first, _)| *first == FIN | PING), "it was asked first");
        assert_eq!(client.read_to_end().await, "", "and the connection is closed");
    }
}

#[tokio::test]
async fn a_client_that_gets_messages_and_answers_no_ping_is_closed_all_the_same() {
    let server = spawn_app(&["--heartbeat", "200ms", "--tick", "20ms"]).await;
    let mut client = open(server.address(), "/feed").await;
    let (code, before) = read_close(&mut client).await;
    assert_eq!(code, 1008);
    assert!(before.iter().any(|(first, _)| *first == FIN | TEXT));
}

#[tokio::test]
async fn a_client_that_was_slow_to_read_and_answers_then_does_not_count_as_dead() {
    let server = spawn_app(&[&HUGE_ALLOWED[..], &["--heartbeat", "1s", "--write-timeout", "1m"]].concat()).await;
    let mut slow = open(server.address(), "/feed").await;
    read_frame(&mut slow).await;
    publish(&server, "main", huge("x")).await;
    // The service is in the middle of this message while some heartbeats go by.
    let mut other = Ws::open(&server, "/").await;
    wait_for_pings(&mut other, 4).await;
    // A heartbeat may have been due before the message was published.
    while read_frame(&mut slow).await.0 != FIN | TEXT {}
    for _ in 0..2 {
        let (first, payload) = read_frame(&mut slow).await;
        assert_eq!(first, FIN | PING, "closed with {payload:?}, and had no time to answer");
        slow.send(frame(FIN | PONG, &payload)).await;
    }
}
