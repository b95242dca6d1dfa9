//! Tests of the end: everything accepted is delivered, every client is released.

use futures_util::future::join_all;

use crate::client::client;
use crate::publish::{publish, publish_array};
use crate::raw::get;
use crate::refusal::assert_refused;
use crate::server::Server;
use crate::service::{Follower, Service, Streaming};
use crate::soon::soon;

/// Makes the service begin to stop, and waits until it is draining.
pub async fn begin_stop(server: &mut Server) {
    server.begin_stop();
    let draining = async { while !get(server.address(), "/readyz").await.starts_with("HTTP/1.1 503 ") {} };
    soon(draining).await;
}

/// Every client gets the messages that were accepted, and is released.
pub async fn every_client_gets_what_was_accepted_and_is_released<S: Streaming>() {
    let mut server = S::start(&["--drain", "2s"]).await;
    let followers = join_all((0..50).map(|_| S::follow(server.address(), ""))).await;
    let texts: Vec<String> = (0..50).map(|n| n.to_string()).collect();
    publish_array(&server, "main", &texts).await;
    server.begin_stop();
    for received in join_all(followers.into_iter().map(S::rest)).await {
        assert_eq!(received, texts);
    }
    server.stopped().await;
}

/// A service that is draining refuses new clients and publications, and delivers what it has accepted.
pub async fn a_service_that_is_draining_takes_nothing_new<S: Streaming>() {
    let mut server = S::start(&["--drain", "1h"]).await;
    let mut follower = S::follow(server.address(), "").await;
    publish(&server, "main", "accepted").await;
    begin_stop(&mut server).await;
    for request in [S::request(server.address(), ""), client().post(server.url("/messages")).body("x")] {
        let response = soon(request.send()).await.expect("an answer");
        assert!(response.headers().contains_key("retry-after"));
        assert_refused(response, 503, "draining").await;
    }
    assert_eq!(follower.texts(1).await, ["accepted"]);
    assert!(get(server.address(), "/livez").await.starts_with("HTTP/1.1 200 "), "it is draining, not dead");
}

/// A service without clients stops at once.
pub async fn a_service_without_clients_stops_at_once<S: Service>() {
    let server = S::start(&["--drain", "1h"]).await;
    get(server.address(), "/livez").await;
    server.stopped().await;
}
