//! The end: everything accepted is delivered, every client is released.

use serde_json::json;
use testkit::{RawClient, begin_stop};

use crate::helpers::{Feed, Ws, spawn_app};
use crate::raw::handshake;

testkit::behaviours!(Feed:
    drain::every_client_gets_what_was_accepted_and_is_released,
    drain::a_service_that_is_draining_takes_nothing_new,
    drain::a_service_without_clients_stops_at_once,
);

#[tokio::test]
async fn the_echo_is_closed_with_1012_and_takes_no_new_client() {
    let mut server = spawn_app(&["--drain", "1s"]).await;
    let mut echo = Ws::open(&server, "/").await;
    begin_stop(&mut server).await;
    let mut client = RawClient::connect(server.address()).await;
    client.send(handshake("/")).await;
    let head = client.read_until("\r\n\r\n").await;
    assert!(head.starts_with("HTTP/1.1 503 ") && head.contains("retry-after: "), "{head}");
    assert!(client.read_until("}").await.contains("\"draining\""));
    assert_eq!(echo.close_code().await, 1012);
    server.stopped().await;
}

#[tokio::test]
async fn a_feed_that_publishes_while_the_service_drains_is_refused() {
    let mut server = spawn_app(&["--drain", "1h"]).await;
    let (mut feed, _) = Ws::feed(server.address(), "/feed").await;
    begin_stop(&mut server).await;
    let answer = feed.ask(json!({ "type": "publish", "text": "too late", "key": "k" })).await;
    assert_eq!((&answer["type"], &answer["error"]), (&json!("error"), &json!("draining")), "{answer}");
    assert_eq!(answer["key"], "k");
}
