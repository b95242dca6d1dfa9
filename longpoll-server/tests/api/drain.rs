//! The end: everything accepted is delivered, every client is released.

use serde_json::{Value, json};
use testkit::{RawClient, assert_refused, begin_stop, publish};

use crate::helpers::{Answer, LongPolling, ask, cursor, hold, poll, settle, spawn_app, texts};

testkit::behaviours!(LongPolling: drain::a_service_without_clients_stops_at_once);

#[tokio::test]
async fn held_polls_are_answered_early_and_their_connections_closed() {
    let mut server = spawn_app(&["--drain", "2s"]).await;
    let read = publish(&server, "main", "read").await;
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
            assert_eq!(answer.json(), json!({ "messages": [], "cursor": read, "more": false, "gap": null }));
        } else {
            assert_eq!(answer.status, 204);
        }
        assert_eq!(client.read_to_end().await, "");
    }
    server.stopped().await;
}

#[tokio::test]
async fn what_was_accepted_is_delivered_to_held_polls() {
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
async fn a_service_that_is_draining_holds_no_new_poll_and_gives_what_it_has() {
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
async fn every_answer_while_draining_is_the_last_on_its_connection() {
    let mut server = spawn_app(&["--drain", "1h"]).await;
    let mut idle = RawClient::connect(server.address()).await;
    idle.send("GET /livez HTTP/1.1\r\nhost: test\r\n\r\n").await;
    Answer::read(&mut idle).await;
    let mut page = hold(&server, "since=now&wait=0.5").await;
    let mut one = hold(&server, "wait=0.5").await;
    settle(&server).await;
    begin_stop(&mut server).await;
    assert_eq!(idle.read_to_end().await, "", "a client that asks for nothing is released at once");
    for (client, status) in [(&mut page, 200), (&mut one, 204)] {
        let answer = Answer::read(client).await;
        assert_eq!(answer.status, status);
        assert_eq!(answer.header("connection"), Some("close"), "{answer:?}");
    }
}
