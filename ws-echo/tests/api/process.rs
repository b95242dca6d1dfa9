//! The process: flags, signals, exit codes, and the log.

use serde_json::json;
use testkit::Service;
use testkit::tokens::token_with;

use crate::helpers::{Feed, Ws};

testkit::lifecycle_behaviours!(Feed);
testkit::limit_behaviours!(Feed);
testkit::behaviours!(Feed: lifecycle::a_signal_lets_clients_have_what_was_accepted);

#[tokio::test]
async fn the_echo_is_logged_but_a_flood_of_messages_does_not_flood_the_log() {
    const FLOOD: usize = 2_000;
    let (mut process, address) = Feed::PROGRAM.start(&[]).await;
    let mut echo = Ws::open_at(address, "/").await;
    process.line_with("客户端连接成功").await;
    for n in 0..FLOOD {
        echo.send(format!("message {n}")).await;
        echo.message().await;
    }
    process.line_with("接收到消息：message 0\"").await;
    drop(echo);
    let mut logged = 1;
    while !process.line_with("").await.contains("客户端断开连接") {
        logged += 1;
    }
    assert!(logged < FLOOD / 2, "{logged} of {FLOOD} messages were logged");
}

/// A client may take the echo for the feed, and somebody may try a token here.
#[tokio::test]
async fn a_token_that_is_sent_to_the_echo_is_not_logged() {
    let (mut process, address) = Feed::PROGRAM.start(&[]).await;
    let mut echo = Ws::open_at(address, "/").await;
    let token = token_with(json!({}));
    let frame = json!({ "type": "token", "token": token }).to_string();
    let escaped = frame.replace("eyJ", "\\u0065yJ");
    for text in [frame, escaped, format!("mine is {token}"), token.clone()] {
        echo.send(text.clone()).await;
        assert!(echo.message().await.to_text().unwrap().ends_with(&text), "it comes back whole");
        let line = process.line_with("接收到消息：").await;
        assert!(line.contains('…') && !line.contains(&token[10..20]), "{line}");
    }
    echo.send("the end".to_owned()).await;
    process.line_with("接收到消息：the end\"").await;
}

#[tokio::test]
async fn a_flood_of_connections_does_not_flood_the_log() {
    let (process, address) = Feed::PROGRAM.start(&["--log-budget", "10", "--drain", "0"]).await;
    let started = std::time::Instant::now();
    for _ in 0..300 {
        let mut echo = Ws::open_at(address, "/").await;
        echo.send("message").await;
        echo.message().await;
    }
    testkit::signal(&process, testkit::Signal::SIGTERM);
    let exit = process.ended().await;
    let logged = exit.stderr.lines().filter(|line| line.contains("客户端") || line.contains("接收到消息")).count();
    let seconds = started.elapsed().as_secs() as usize + 2;
    assert!(logged >= 10 && logged <= 12 * seconds, "{logged} lines in {seconds} s");
}
