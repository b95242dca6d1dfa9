//! The end: everything accepted is delivered, everyone is released.

use futures_util::future::join_all;
use reqwest::Client;
use testkit::{Server, get, soon};

use crate::helpers::{
    Events, HUGE, HUGE_ALLOWED, assert_refused, field, messages, open_raw, publish, publish_array, spawn_app,
};

/// Has the service begin to stop, and waits until it says so.
async fn begin_stop(server: &mut Server) {
    server.begin_stop();
    let draining = async { while !get(server.address(), "/readyz").await.starts_with("HTTP/1.1 503 ") {} };
    soon(draining).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everyone_gets_what_was_accepted_and_is_released() {
    let mut server = spawn_app(&["--drain", "2s"]).await;
    let streams = join_all((0..50).map(|_| Events::open(&server, "/events"))).await;
    let texts: Vec<String> = (0..50).map(|n| n.to_string()).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    publish_array(&server, "main", &messages(&texts)).await;
    server.begin_stop();
    for received in join_all(streams.into_iter().map(Events::rest)).await {
        assert_eq!(received, texts);
    }
    server.stopped().await;
}

#[tokio::test]
async fn who_is_released_is_told_when_to_come_back() {
    let mut server = spawn_app(&["--drain", "1s"]).await;
    let (mut client, _) = open_raw(&server, "/events").await;
    begin_stop(&mut server).await;
    let last = client.read_to_end().await;
    let retry = field(&last, "retry").unwrap_or_else(|| panic!("{last:?}"));
    assert!(retry.parse::<u32>().is_ok_and(|millis| millis > 0), "{last:?}");
    assert_eq!(last, format!("retry: {retry}\n\n"));
    server.stopped().await;
}

#[tokio::test]
async fn a_client_that_is_behind_gets_the_rest_before_it_is_released() {
    let mut server = spawn_app(&[&HUGE_ALLOWED[..], &["--drain", "1s", "--write-timeout", "1m"]].concat()).await;
    let (mut client, _) = open_raw(&server, "/events").await;
    publish(&server, "main", "x".repeat(HUGE)).await;
    let last = publish(&server, "main", "last").await;
    begin_stop(&mut server).await;
    client.read_until(&format!("id: {last}\ndata: last\n\n")).await;
    assert!(client.read_to_end().await.starts_with("retry: "));
}

#[tokio::test]
async fn a_service_that_is_going_takes_nobody_new() {
    let mut server = spawn_app(&["--drain", "1h"]).await;
    let mut events = Events::open(&server, "/events").await;
    let accepted = publish(&server, "main", "accepted").await;
    begin_stop(&mut server).await;
    for request in [Client::new().get(server.url("/events")), Client::new().post(server.url("/messages")).body("x")] {
        let response = soon(request.send()).await.unwrap();
        assert!(response.headers().contains_key("retry-after"));
        assert_refused(response, (503, "draining")).await;
    }
    assert_eq!(events.next().await.id, accepted);
    assert!(get(server.address(), "/livez").await.starts_with("HTTP/1.1 200 "), "it is going, not dead");
}

#[tokio::test]
async fn a_service_without_clients_stops_at_once() {
    let server = spawn_app(&["--drain", "1h"]).await;
    get(server.address(), "/livez").await;
    server.stopped().await;
}
