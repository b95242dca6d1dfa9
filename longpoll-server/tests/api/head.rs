//! A request is answered alike whether its head comes whole or in pieces, which go different ways through the service. (Only
//! the version that an answer to HTTP/1.0 bears differs, and either is right: RFC 9110, section 6.2.)

use testkit::{RawClient, Server, publish};

use crate::helpers::{hold, settle, spawn_app};

/// The answer to a request, without what differs by nature: the order of the headers, and the time.
async fn answer_to(server: &Server, pieces: &[&str]) -> (String, Vec<String>, String) {
    let mut client = RawClient::connect(server.address()).await;
    for piece in pieces {
        client.send(piece).await;
        settle(server).await;
    }
    let answer = client.read_to_end().await;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let mut lines = head.lines().map(str::to_owned);
    let status = lines.next().unwrap();
    let mut headers: Vec<String> = lines.filter(|line| !line.starts_with("date:")).collect();
    headers.sort();
    (status, headers, body.to_owned())
}

#[tokio::test]
async fn an_answer_does_not_depend_on_how_the_head_comes() {
    let server = spawn_app(&["--allow-origin", "http://page.example"]).await;
    publish(&server, "main", "m").await;
    let many: String = (0..50).map(|n| format!("x-{n}: {n}\r\n")).collect();
    for (line, headers, status) in [
        ("GET /poll?since=earliest HTTP/1.1", "", 200),
        ("GET /poll?since=earliest&topic=a%2Db&wait=0 HTTP/1.1", "", 200),
        ("GET /poll?topic=empty&wait=0 HTTP/1.1", "", 204),
        ("GET /poll?since=earliest HTTP/1.1", many.as_str(), 200),
        ("GET /poll?since=earliest HTTP/1.1", "origin: http://page.example\r\n", 200),
        ("GET /poll?since=earliest HTTP/1.1", "origin: http://other.example\r\n", 403),
        ("GET /poll?since=earliest HTTP/1.1", "upgrade: websocket\r\n", 400),
        ("GET /poll?since=earliest HTTP/1.1", "bad name: x\r\n", 400),
        ("GET /poll?since=nonsense HTTP/1.1", "", 400),
        ("GET /poll?topic=a> HTTP/1.1", "", 400),
        ("GET /poll/ HTTP/1.1", "", 404),
        ("HEAD /poll?since=earliest HTTP/1.1", "", 200),
        ("GET /poll?since=earliest HTTP/1.1", "host: other\r\n", 400),
        ("GET /poll?since=earliest&since=now HTTP/1.1", "", 400),
        ("GET /poll?since=earliest&_=1 HTTP/1.1", "", 200),
    ] {
        let rest = format!("host: test\r\n{headers}connection: close\r\n\r\n");
        let whole = answer_to(&server, &[&format!("{line}\r\n{rest}")]).await;
        assert!(whole.0.contains(&format!(" {status} ")), "{line} {headers:?}: {whole:?}");
        let (first, second) = line.split_at(6);
        assert_eq!(answer_to(&server, &[first, &format!("{second}\r\n{rest}")]).await, whole, "{line} {headers:?}");
    }
}

#[tokio::test]
async fn a_client_that_closes_its_side_after_its_request_is_still_answered() {
    let server = spawn_app(&[]).await;
    publish(&server, "main", "m").await;
    for pieces in [
        &["GET /poll?since=earliest HTTP/1.1\r\nhost: test\r\n\r\n"][..],
        &["GET /po", "ll?since=earliest HTTP/1.1\r\nhost: test\r\n\r\n"],
    ] {
        let mut client = RawClient::connect(server.address()).await;
        for piece in pieces {
            client.send(piece).await;
        }
        client.finish().await;
        assert!(client.read_to_end().await.contains("\"text\":\"m\""), "{pieces:?}");
    }
}

#[tokio::test]
async fn a_poll_that_follows_another_request_is_held_and_answered() {
    let server = spawn_app(&[]).await;
    let mut client = RawClient::connect(server.address()).await;
    for _ in 0..2 {
        client.send("GET /livez HTTP/1.1\r\nhost: test\r\n\r\n").await;
        client.read_until("{\"status\":\"live\"}").await;
        client.send("GET /poll?since=now HTTP/1.1\r\nhost: test\r\n\r\n").await;
        settle(&server).await;
        publish(&server, "main", "m").await;
        client.read_until("\"text\":\"m\"").await;
        client.read_until("\"gap\":null}").await;
    }
    // And the next one goes the short way again.
    let mut held = hold(&server, "since=now").await;
    publish(&server, "main", "n").await;
    held.read_until("\"text\":\"n\"").await;
}

#[tokio::test]
async fn a_body_is_never_taken_for_the_next_request() {
    let server = spawn_app(&[]).await;
    publish(&server, "main", "m").await;
    let hidden = "GET /livez HTTP/1.1\r\nhost: test\r\n\r\n";
    let length = hidden.len();
    for (headers, body) in [
        (format!("content-length: {length}"), hidden.to_owned()),
        ("transfer-encoding: chunked".to_owned(), format!("{length:x}\r\n{hidden}\r\n0\r\n\r\n")),
    ] {
        // Some of these have a message to answer, others none; that makes no difference.
        for query in ["since=earliest", "since=now", "since=now&wait=0", "wait=0"] {
            let mut client = RawClient::connect(server.address()).await;
            client.send(format!("GET /poll?{query} HTTP/1.1\r\nhost: test\r\n{headers}\r\n\r\n{body}")).await;
            client.send("GET /readyz HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n").await;
            let answers = client.read_to_end().await;
            assert!(answers.starts_with("HTTP/1.1 400 ") && !answers.contains("live"), "{query} {headers}: {answers}");
        }
    }
}

#[tokio::test]
async fn a_client_that_sends_without_end_while_its_poll_is_held_is_cut_off() {
    let server = spawn_app(&["--hold", "55s"]).await;
    let mut client = hold(&server, "since=now").await;
    while client.try_send([b'x'; 16 * 1024]).await {}
}

/// `HEAD` is answered with the head that `GET` would have, at once and without taking a message.
#[tokio::test]
async fn the_head_of_a_poll_is_not_held_and_takes_nothing() {
    let server = spawn_app(&["--hold", "1h"]).await;
    let head = async |query: &str| {
        let request = format!("/poll?{query} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n");
        let (status, headers, body) = answer_to(&server, &[&format!("HEAD {request}")]).await;
        assert!(status.ends_with(" 200 OK") && body.is_empty(), "{query}: {status} {body}");
        assert!(headers.contains(&"cache-control: no-store".to_owned()), "{query}: {headers:?}");
        headers
    };
    for query in ["since=now", "wait=55", ""] {
        head(query).await;
    }
    publish(&server, "main", "m").await;
    let (_, of_get, body) =
        answer_to(&server, &["GET /poll?since=earliest HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n"]).await;
    assert_eq!(head("since=earliest").await, of_get);
    assert!(of_get.contains(&format!("content-length: {}", body.len())), "{of_get:?}");
    head("").await;
    let (status, _, body) =
        answer_to(&server, &["GET /poll?wait=0 HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n"]).await;
    assert!(
        status.ends_with(" 200 OK") && body.contains("\"text\":\"m\""),
        "the message is still queued: {status} {body}"
    );
}
