//! The process: flags, signals, exit codes.

use std::net::SocketAddr;

use reqwest::Client;
use testkit::{ServiceProgram, Signal, signal, soon};

use crate::helpers::Ws;

const PROGRAM: ServiceProgram =
    ServiceProgram { path: env!("CARGO_BIN_EXE_ws-echo"), name: "ws-echo", version: env!("CARGO_PKG_VERSION") };

async fn follow(address: SocketAddr) -> Ws {
    let mut feed = Ws::open_at(address, "/feed").await;
    assert_eq!(feed.json().await["type"], "welcome");
    feed
}

#[tokio::test]
async fn on_sigterm_and_sigint_clients_get_what_was_accepted_and_it_exits_with_0() {
    for stop in [Signal::SIGTERM, Signal::SIGINT] {
        let (process, address) = PROGRAM.start(&["--drain", "1s"]).await;
        let mut clients = [follow(address).await, follow(address).await];
        let publish = Client::new().post(format!("http://{address}/messages")).body("accepted");
        assert_eq!(soon(publish.send()).await.unwrap().status(), 201);
        signal(&process, stop);
        for client in &mut clients {
            assert_eq!(client.texts(1).await, ["accepted"]);
            assert_eq!(client.close_code().await, 1012);
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
    PROGRAM.tells_its_version_and_flags(&["--reply-prefix"]).await;
}

#[tokio::test]
async fn the_echo_is_logged_but_a_flood_of_messages_does_not_flood_the_log() {
    const FLOOD: usize = 2_000;
    let (mut process, address) = PROGRAM.start(&[]).await;
    let mut echo = Ws::open_at(address, "/").await;
    process.line_with("客户端连接成功").await;
    for n in 0..FLOOD {
        echo.send(format!("message {n}")).await;
        echo.next().await;
    }
    process.line_with("接收到消息：message 0\"").await;
    drop(echo);
    let mut logged = 1;
    while !process.line_with("").await.contains("客户端断开连接") {
        logged += 1;
    }
    assert!(logged < FLOOD / 2, "{logged} of {FLOOD} messages were logged");
}
