//! Connections that carry several requests, and the older ways to ask.

use std::time::{Duration, Instant};

use bytes::Bytes;
use http::StatusCode;
use serving::reply::{Body, Reply};
use serving::routes::{MethodRoute, Upgrade};
use testkit::RawClient;

use crate::answer::Answer;
use crate::service::Service;

#[tokio::test]
async fn a_connection_serves_one_request_after_the_other() {
    let service = Service::start(&["--max-connections", "1"]).await;
    let mut client = service.connect().await;
    for _ in 0..3 {
        client.send("GET /livez HTTP/1.1\r\nhost: test\r\n\r\n").await;
        assert_eq!(Answer::parse(&client.read_until("}").await).status, 200);
        client.send("GET /nothing HTTP/1.1\r\nhost: test\r\n\r\n").await;
        Answer::parse(&client.read_until("}").await).assert_error(404, "not_found", "path");
    }
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order() {
    let service = Service::start(&[]).await;
    let mut client = service.connect().await;
    let mut requests = String::new();
    for n in 0..20 {
        requests += &format!("POST /messages HTTP/1.1\r\nhost: test\r\ncontent-length: 2\r\n\r\n{n:02}");
        requests += "GET /nothing HTTP/1.1\r\nhost: test\r\n\r\n";
    }
    client.send(requests).await;
    for _ in 0..20 {
        assert_eq!(Answer::parse(&client.read_until("}").await).status, 201);
        Answer::parse(&client.read_until("}").await).assert_error(404, "not_found", "path");
    }
    let published: Vec<_> = (0..20).map(|n| format!("{n:02}")).collect();
    assert_eq!(service.held("main"), published);
}

/// On one thread, so that a connection's requests and those of others are answered in an order.
#[tokio::test]
async fn pipelined_requests_are_answered_in_turn_with_those_of_others() {
    const PIPELINED: usize = 500;
    let service = Service::start(&[]).await;
    service.publish("a", "m").await;
    let (mut many, mut other) = (service.connect().await, service.connect().await);
    for client in [&mut many, &mut other] {
        client.send("GET /livez HTTP/1.1\r\nhost: test\r\n\r\n").await;
        client.read_until("}").await;
    }
    // The service reads none of this before the test waits for something.
    let last = "GET /messages?topic=a HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n";
    let requests = "GET /messages?topic=%3E HTTP/1.1\r\nhost: test\r\n\r\n".repeat(PIPELINED - 1) + last;
    many.send(requests).await;
    other.send("GET /livez HTTP/1.1\r\nhost: test\r\n\r\n").await;
    other.read_until("}").await;
    let answered = many.received().matches("HTTP/1.1 200 OK").count();
    assert!(answered < 10, "{answered} requests were answered before that of the other client");
    assert_eq!(many.read_to_end().await.matches("HTTP/1.1 200 OK").count(), PIPELINED);
}

#[tokio::test]
async fn head_is_get_without_the_body() {
    let service = Service::start(&[]).await;
    service.publish("main", "m").await;
    for path in ["/livez", "/readyz", "/compare", "/assets/style.css", "/assets/peers.json", "/messages"] {
        let get = service.ask(&format!("GET {path}"), "").await;
        let mut client = service.connect().await;
        client.send(format!("HEAD {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n")).await;
        let answer = client.read_to_end().await;
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
        assert!(head.contains(&format!("content-length: {}", get.body.len())), "{head}");
        assert_eq!(body, "");
    }
}

#[tokio::test]
async fn http_1_0_is_answered_and_closed_unless_it_asks_to_stay() {
    let service = Service::start(&[]).await;
    let answer = service.raw("GET /livez HTTP/1.0\r\n\r\n").await;
    assert_eq!((answer.status, answer.text("status")), (200, "live".to_owned()));

    let mut client = service.connect().await;
    for _ in 0..2 {
        client.send("GET /livez HTTP/1.0\r\nconnection: keep-alive\r\n\r\n").await;
        let answer = Answer::parse(&client.read_until("}").await);
        assert_eq!(answer.header("connection"), Some("keep-alive"));
    }
    let answer = service.raw("POST /messages HTTP/1.0\r\ncontent-length: 1\r\n\r\nx").await;
    assert_eq!(answer.status, 201);
}

#[tokio::test]
async fn an_absolute_url_is_a_path_with_a_host() {
    let service = Service::start(&[]).await;
    assert_eq!(service.ask("GET http://elsewhere.example/livez", "").await.status, 200);
    service.ask("GET http://elsewhere.example", "").await.assert_error(404, "not_found", "path");
}

#[tokio::test]
async fn a_client_that_waits_for_leave_to_send_its_body_gets_it() {
    let service = Service::start(&[]).await;
    let mut client = service.connect().await;
    client.send("POST /messages HTTP/1.1\r\nhost: test\r\nexpect: 100-continue\r\ncontent-length: 1\r\n\r\n").await;
    assert!(client.read_until("\r\n\r\n").await.starts_with("HTTP/1.1 100 "));
    client.send("x").await;
    assert_eq!(Answer::parse(&client.read_until("}").await).status, 201);
}

#[tokio::test]
async fn an_answer_to_a_client_that_has_ended_its_side_still_comes() {
    let service = Service::start(&[]).await;
    // The end comes with the request or a little later, as the system likes.
    for _ in 0..20 {
        let mut client = service.connect().await;
        client.send("POST /messages HTTP/1.1\r\nhost: test\r\ncontent-length: 1\r\n\r\nx").await;
        client.finish().await;
        assert_eq!(Answer::parse(&client.read_to_end().await).status, 201);
    }
}

#[tokio::test]
async fn every_answer_forbids_to_guess_its_type() {
    let service = Service::start(&[]).await;
    for path in ["/livez", "/messages", "/nothing", "/compare", "/assets/text.js"] {
        assert_eq!(
            service.ask(&format!("GET {path}"), "").await.header("x-content-type-options"),
            Some("nosniff"),
            "{path}"
        );
    }
}

/// Each of these goes a way of its own through the service: the short way, hyper's, and hyper's with a body.
const KEEPING_OPEN: [&str; 3] = [
    "GET /method HTTP/1.1\r\nhost: test\r\n\r\n",
    "GET /livez HTTP/1.1\r\nhost: test\r\n\r\n",
    "POST /messages HTTP/1.1\r\nhost: test\r\ntransfer-encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n",
];

/// A service with `GET /method`, which answers `{}`.
async fn start(flags: &[&str]) -> Service {
    let answer = |_| async {
        let body = Body::from_iter([Bytes::from_static(b"{}")]);
        Ok(Reply::json(StatusCode::OK, body).into())
    };
    Service::start_with(flags, vec![MethodRoute::new("/method", Upgrade::Refused, answer)]).await
}

/// Sends a request whose answer ends with `}`, and reads the answer.
async fn ask(client: &mut RawClient, request: &str) {
    client.send(request).await;
    assert_eq!(Answer::parse(&client.read_until("}").await).status / 100, 2, "{request}");
}

#[tokio::test]
async fn a_connection_waits_for_its_next_request_for_the_idle_timeout() {
    let service = start(&["--read-timeout", "100ms", "--idle-timeout", "1s"]).await;
    for request in KEEPING_OPEN {
        let mut client = service.connect().await;
        let begun = Instant::now();
        ask(&mut client, request).await;
        assert_eq!(client.read_to_end().await, "");
        let open = begun.elapsed();
        assert!(open >= Duration::from_secs(1), "{open:?} after {request}");
    }
}

#[tokio::test]
async fn a_connection_that_was_idle_serves_its_next_request() {
    let service = start(&["--read-timeout", "100ms"]).await;
    let mut client = service.connect().await;
    for request in KEEPING_OPEN.iter().cycle().take(6) {
        ask(&mut client, request).await;
        // A connection that asks for nothing is closed after the read time-out, so that has passed for both.
        assert_eq!(service.connect().await.read_to_end().await, "");
    }
}

#[tokio::test]
async fn a_request_that_has_begun_has_its_own_time_however_short_a_connection_may_be_idle() {
    let service = start(&["--read-timeout", "1h", "--idle-timeout", "100ms"]).await;
    let (mut first, mut second) = (service.connect().await, service.connect().await);
    ask(&mut second, KEEPING_OPEN[1]).await;
    second.send("GET /li").await;
    for request in KEEPING_OPEN {
        let mut idle = service.connect().await;
        ask(&mut idle, request).await;
        assert_eq!(idle.read_to_end().await, "", "closed after the idle time-out, so that has passed for all");
    }
    ask(&mut second, "vez HTTP/1.1\r\nhost: test\r\n\r\n").await;
    ask(&mut first, KEEPING_OPEN[1]).await;
}

/// A body that is left unread is no request, however the connection goes on.
#[tokio::test]
async fn a_body_that_is_refused_is_not_read_as_a_request() {
    let service = start(&["--max-body-bytes", "10"]).await;
    let hidden = "GET /livez HTTP/1.1\r\nhost: test\r\n\r\n";
    let head = "POST /messages HTTP/1.1\r\nhost: test\r\n";
    for headers in
        [format!("content-length: {}\r\n\r\n", hidden.len()), "transfer-encoding: chunked\r\n\r\n1000\r\n".into()]
    {
        let mut client = service.connect().await;
        client.send(format!("{head}{headers}{hidden}")).await;
        client.finish().await;
        let answers = client.read_to_end().await;
        assert!(answers.starts_with("HTTP/1.1 413 ") && !answers.contains("live"), "{answers}");
    }
}
