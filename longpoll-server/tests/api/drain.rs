//! The end: everything accepted is delivered, everyone is released.

use serde_json::{Value, json};
use testkit::{RawClient, Server, get, soon};

use crate::helpers::{Answer, ask, assert_refused, cursor, hold, poll, publish, settle, spawn_app, texts};

/// Has the service begin to stop, and waits until it says so.
async fn begin_stop(server: &mut Server) {
    server.begin_stop();
    let draining = async { while !get(server.address(), "/readyz").await.starts_with("HTTP/1.1 503 ") {} };
    soon(draining).await;
}

#[tokio::test]
async fn held_polls_are_answered_early_and_their_connections_closed() {
    let mut server = spawn_app(&["--drain", "2s"]).await;
    let seen = publish(&server, "main", "seen").await;
    poll(&server, "").await;
    let mut held = Vec::new();
    for n in 0..50 {
        held.push(hold(&server, if n % 2 == 0 { "since=now" } else { "" }).await);
    }
    server.begin_stop();
    for (n, client) in held.iter_mut().enumerate() {
        let answer = Answer::read(client).await;
        assert_eq!(answer.header("connection"), Some("close"));
        if n % 2 == 0 {
            assert_eq!(answer.status, 200);
            assert_eq!(answer.json(), json!({ "messages": [], "cursor": seen, "more": false, "gap": null }));
        } else {
            assert_eq!(answer.status, 204);
        }
        assert_eq!(client.read_to_end().await, "");
    }
    server.stopped().await;
}

#[tokio::test]
async fn what_was_accepted_is_delivered_to_who_is_held() {
    let mut server = spawn_app(&["--drain", "2s"]).await;
    let mut held = Vec::new();
    for _ in 0..50 {
        held.push(hold(&server, "since=now").await);
    }
    publish(&server, "main", "accepted").await;
    server.begin_stop();
    for client in &mut held {
        assert_eq!(texts(&Answer::read(client).await.json()), ["accepted"]);
    }
    server.stopped().await;
}

#[tokio::test]
async fn a_service_that_is_going_holds_nobody_new_and_gives_what_it_has() {
    let mut server = spawn_app(&["--drain", "1h"]).await;
    let _held = hold(&server, "topic=quiet").await;
    let id = publish(&server, "main", "accepted").await;
    begin_stop(&mut server).await;
    for query in ["since=now", "topic=other"] {
        let response = ask(&server, query).await;
        assert!(response.headers().contains_key("retry-after"));
        assert_refused(response, 503, "draining").await;
    }
    assert_eq!(cursor(&poll(&server, "since=earliest").await), id);
    assert_eq!(poll(&server, "").await["id"], id);
    assert_eq!(poll(&server, "since=now&wait=0").await["gap"], Value::Null);
}

#[tokio::test]
async fn every_answer_while_going_is_the_last_on_its_connection() {
    let mut server = spawn_app(&["--drain", "1h"]).await;
    let mut idle = RawClient::connect(server.address()).await;
    idle.send("GET /livez HTTP/1.1\r\nhost: test\r\n\r\n").await;
    Answer::read(&mut idle).await;
    let mut page = hold(&server, "since=now&wait=0.5").await;
    let mut one = hold(&server, "wait=0.5").await;
    settle(&server).await;
    begin_stop(&mut server).await;
    assert_eq!(idle.read_to_end().await, "", "who asks for nothing is let go at once");
    for (client, status) in [(&mut page, 200), (&mut one, 204)] {
        let answer = Answer::read(client).await;
        assert_eq!(answer.status, status);
        assert_eq!(answer.header("connection"), Some("close"), "{answer:?}");
    }
}
