//! The end: everything accepted is delivered, everyone is released.

use futures_util::future::join_all;
use serde_json::json;
use testkit::{RawClient, get};

use crate::helpers::{Ws, begin_stop, publish, publish_array, spawn_app};
use crate::raw::handshake;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everyone_gets_what_was_accepted_and_is_closed_with_1012() {
    let mut server = spawn_app(&["--drain", "2s"]).await;
    let feeds = join_all((0..50).map(|_| Ws::feed(&server, "/feed"))).await;
    let mut echo = Ws::open(&server, "/").await;
    let texts: Vec<String> = (0..50).map(|n| n.to_string()).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    publish_array(&server, "main", &texts).await;
    server.begin_stop();
    let received = join_all(feeds.into_iter().map(|(mut feed, _)| async move {
        let texts = feed.texts(50).await;
        (texts, feed.close_code().await)
    }));
    for (received, code) in received.await {
        assert_eq!(received, texts);
        assert_eq!(code, 1012);
    }
    assert_eq!(echo.close_code().await, 1012);
    server.stopped().await;
}

#[tokio::test]
async fn a_service_that_is_going_takes_nobody_new_and_nothing_to_publish() {
    let mut server = spawn_app(&["--drain", "1h"]).await;
    let (mut feed, _) = Ws::feed(&server, "/feed").await;
    publish(&server, "main", "accepted").await;
    begin_stop(&mut server).await;
    for path in ["/", "/feed"] {
        let mut client = RawClient::connect(server.address()).await;
        client.send(handshake(path)).await;
        let head = client.read_until("\r\n\r\n").await;
        assert!(head.starts_with("HTTP/1.1 503 ") && head.contains("retry-after: "), "{head}");
        assert!(client.read_until("}").await.contains("\"draining\""));
    }
    assert_eq!(feed.texts(1).await, ["accepted"]);
    let answer = feed.say(json!({ "type": "publish", "text": "too late", "key": "k" })).await;
    assert_eq!((&answer["type"], &answer["error"]), (&json!("error"), &json!("draining")), "{answer}");
    assert_eq!(answer["key"], "k");
    assert!(get(server.address(), "/livez").await.starts_with("HTTP/1.1 200 "), "it is going, not dead");
}
