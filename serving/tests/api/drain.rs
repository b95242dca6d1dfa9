//! Shutting down: nothing that was answered is lost, no client is left without an answer, and it ends.

use std::collections::HashSet;
use std::sync::Arc;

use testkit::{RawClient, soon};
use tokio::sync::Semaphore;

use crate::answer::Answer;
use crate::service::Service;

/// A request that keeps a drain from ending until its last byte has come.
async fn half_sent(service: &Service) -> RawClient {
    let mut client = service.connect().await;
    client.send("POST /messages HTTP/1.1\r\nhost: test\r\nexpect: 100-continue\r\ncontent-length: 4\r\n\r\n").await;
    // The handler reads the body by now.
    assert!(client.read_until("\r\n\r\n").await.starts_with("HTTP/1.1 100 "));
    client.send("ha").await;
    client
}

async fn begin_drain(service: &mut Service) {
    service.server.begin_stop();
    soon(service.app.drain().begun()).await;
}

#[tokio::test]
async fn without_clients_it_ends_before_the_window_is_over() {
    let service = Service::start(&["--drain", "1h"]).await;
    service.server.stopped().await;
}

#[tokio::test]
async fn connections_that_ask_for_nothing_do_not_keep_it() {
    let service = Service::start(&["--drain", "1h", "--read-timeout", "1h"]).await;
    let mut fresh = service.connect().await;
    let mut served = service.connect().await;
    served.send("GET /livez HTTP/1.1\r\nhost: test\r\n\r\n").await;
    served.read_until("}").await;
    service.server.stopped().await;
    assert_eq!((fresh.read_to_end().await, served.read_to_end().await), (String::new(), String::new()));
}

#[tokio::test]
async fn while_it_lasts_requests_are_answered_and_publications_refused() {
    let mut service = Service::start(&["--drain", "1h", "--read-timeout", "1h"]).await;
    let id = service.publish("main", "before").await;
    let mut last = half_sent(&service).await;
    begin_drain(&mut service).await;

    service.ask("GET /readyz", "").await.assert_error(503, "not_ready", "shutting down");
    service.assert_serving().await;
    service.ask_post("", b"late").await.assert_error(503, "draining", "another one may take over");
    let page = service.ask("GET /messages", "").await.json();
    assert_eq!((&page["messages"][0]["id"], &page["cursor"]), (&id.clone().into(), &id.into()));
    // Without `connection: close`: no client may stay.
    let answer = service.raw("GET /livez HTTP/1.1\r\nhost: test\r\n\r\n").await;
    assert_eq!((answer.status, answer.header("connection")), (200, Some("close")));

    last.send("lf").await;
    let answer = Answer::parse(&last.read_to_end().await);
    answer.assert_error(503, "draining", "try again");
    assert_eq!(service.held("main"), ["before"]);
    service.server.stopped().await;
}

#[tokio::test]
async fn a_head_that_is_half_sent_when_it_begins_is_still_answered() {
    let mut service = Service::start(&["--drain", "1h", "--read-timeout", "1h"]).await;
    let mut last = half_sent(&service).await;
    let mut client = service.connect().await;
    client.send("GET /livez HTTP/1.1\r\nhos").await;
    // Connections are accepted in turn, so this one has been too.
    service.assert_serving().await;
    begin_drain(&mut service).await;
    client.send("t: test\r\n\r\n").await;
    let answer = Answer::parse(&client.read_to_end().await);
    assert_eq!((answer.status, answer.header("connection")), (200, Some("close")));
    last.send("lf").await;
    service.server.stopped().await;
}

#[tokio::test]
async fn when_the_window_is_over_it_ends_with_clients_connected() {
    let service = Service::start(&["--drain", "300ms", "--read-timeout", "1h"]).await;
    let _held = half_sent(&service).await;
    service.server.stopped().await;
}

#[tokio::test]
async fn a_window_of_zero_ends_at_once() {
    let service = Service::start(&["--drain", "0", "--read-timeout", "1h"]).await;
    let _held = half_sent(&service).await;
    service.server.stopped().await;
}

/// Publishes until the server is gone or says that it goes. Returns what was taken and what was refused; of a request
/// that was cut off, a client knows neither.
async fn publish_on(url: String, publisher: usize, published: Arc<Semaphore>) -> (Vec<String>, Vec<String>) {
    let client = testkit::client();
    let mut taken = Vec::new();
    for n in 0.. {
        let text = format!("{publisher}.{n}");
        let Ok(response) = client.post(&url).body(text.clone()).send().await else { break };
        let answer = Answer::of(response).await;
        if answer.status != 201 {
            answer.assert_error(503, "draining", "try again");
            return (taken, vec![text]);
        }
        taken.push(text);
        published.add_permits(1);
    }
    (taken, Vec::new())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn publications_answered_with_201_are_in_the_history_and_refused_ones_are_not() {
    let mut service = Service::start(&["--drain", "1h", "--history", "100000"]).await;
    let published = Arc::new(Semaphore::new(0));
    let url = service.server.url("/messages");
    let publishers: Vec<_> =
        (0..8).map(|publisher| tokio::spawn(publish_on(url.clone(), publisher, Arc::clone(&published)))).collect();
    soon(published.acquire_many(100)).await.unwrap().forget();
    begin_drain(&mut service).await;

    let (mut taken, mut refused) = (Vec::new(), Vec::new());
    for publisher in publishers {
        let (was_taken, was_refused) = soon(publisher).await.unwrap();
        taken.extend(was_taken);
        refused.extend(was_refused);
    }
    let held = service.held("main");
    assert!(taken.len() >= 100);
    assert!(taken.iter().all(|text| held.contains(text)), "answered with 201 and lost");
    assert!(!refused.iter().any(|text| held.contains(text)), "refused and published");
    assert!(held.iter().collect::<HashSet<_>>().len() == held.len(), "published twice");
    service.server.stopped().await;
}
