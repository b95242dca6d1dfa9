//! Requests that cannot be served as they are: each is refused with the reason and what to do, and none hurts the next.

use testkit::RawClient;

use crate::answer::Answer;
use crate::service::Service;

#[tokio::test]
async fn a_path_that_is_not_there() {
    let service = Service::start(&[]).await;
    for path in ["/", "/nothing", "/messages/", "//messages", "/messages/../livez", "/Livez", "/%00", "/messages%20"] {
        service.ask(&format!("GET {path}"), "").await.assert_error(404, "not_found", "the page at /");
        service.assert_serving().await;
    }
    for request in ["POST /", "DELETE /nothing", "BREW /pot"] {
        service.ask(request, "").await.assert_error(404, "not_found", "path");
    }
}

/// Targets of RFC 9112, section 3.2, that are no paths.
#[tokio::test]
async fn a_target_that_is_not_a_path() {
    let service = Service::start(&[]).await;
    for request in ["GET *", "OPTIONS *", "OPTIONS http://test", "CONNECT test:80", "GET test:80"] {
        let mut client = service.connect().await;
        client.send(format!("{request} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n")).await;
        let answer = client.read_to_end().await;
        assert!(!answer.is_empty(), "no answer to {request}");
        let answer = Answer::parse(&answer);
        assert!((400..500).contains(&answer.status), "{request}: {answer:?}");
        assert!(answer.text("message").len() > 20, "{request}: {answer:?}");
        service.assert_serving().await;
    }
}

#[tokio::test]
async fn a_method_that_does_not_apply() {
    let service = Service::start(&[]).await;
    for (request, allow) in [
        ("PUT /messages", "GET, HEAD, POST"),
        ("DELETE /messages?topic=a", "GET, HEAD, POST"),
        ("OPTIONS /messages", "GET, HEAD, POST"),
        ("FROB /messages", "GET, HEAD, POST"),
        ("POST /livez", "GET, HEAD"),
        ("POST /readyz", "GET, HEAD"),
        ("PATCH /compare", "GET, HEAD"),
        ("POST /assets/peers.json", "GET, HEAD"),
    ] {
        let answer = service.ask(request, "").await;
        answer.assert_error(405, "method_not_allowed", allow);
        assert_eq!(answer.header("allow"), Some(allow), "{request}");
    }
    service.assert_serving().await;
}

#[tokio::test]
async fn a_topic_that_is_not_a_topic() {
    let service = Service::start(&[]).await;
    let long = "x".repeat(65);
    let topics = ["", ".", "a.", "a..b", "a b", "%E4%B8%BB", "a/b", "1.2.3.4.5.6.7.8.9", &long, "%00", "%FF", "a*"];
    for topic in topics {
        let query = topic.replace(' ', "%20");
        for request in [format!("GET /messages?topic={query}"), format!("POST /messages?topic={query}")] {
            service.ask(&request, "content-length: 0\r\n").await.assert_error(400, "bad_topic", "topic");
        }
    }
    service.ask("GET /messages?topic=a.%3E.b", "").await.assert_error(400, "bad_topic", "the last token");
    service.ask("GET /messages?topic=good&topic=", "").await.assert_error(400, "bad_topic", "joined by dots");
    service.assert_serving().await;
}

#[tokio::test]
async fn a_publication_names_one_topic() {
    let service = Service::start(&[]).await;
    for topic in ["*", "orders.*", ">", "orders.>"] {
        let answer = service.post(&format!("?topic={topic}"), "text/plain", "x").await;
        answer.assert_error(400, "bad_topic", "name one topic");
    }
    service.post("?topic=a&topic=b", "text/plain", "x").await.assert_error(400, "bad_parameter", "one topic");
    assert!(service.held(">").is_empty());
}

#[tokio::test]
async fn a_cursor_that_is_not_a_cursor() {
    let service = Service::start(&[]).await;
    let head = service.publish("main", "m").await;
    let (upper, minus) = (head.to_uppercase(), format!("{head}-1"));
    for since in ["", "x", "1", "-", "a-", "-1", "Now", "a-b", "a-1x", "a-99999999999999999999", "%00", &upper, &minus]
    {
        let answer = service.get(&format!("/messages?since={since}")).await;
        answer.assert_error(400, "bad_cursor", "earliest");
    }
    service.assert_serving().await;
}

#[tokio::test]
async fn a_limit_out_of_range() {
    let service = Service::start(&[]).await;
    for limit in ["0", "1001", "x", "", "-1", "1.5", "1e2", "99999999999999999999999"] {
        let answer = service.get(&format!("/messages?limit={limit}")).await;
        answer.assert_error(400, "bad_parameter", "limit: write a number from 1 to 1000");
    }
}

#[tokio::test]
async fn an_upgrade_where_there_is_none() {
    let service = Service::start(&[]).await;
    let upgrade = "connection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\
                   sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    for path in ["/messages", "/livez", "/compare", "/assets/style.css"] {
        let answer =
            service.raw(format!("GET {path} HTTP/1.1\r\nhost: test\r\n{upgrade}connection: close\r\n\r\n")).await;
        answer.assert_error(400, "unexpected_upgrade", "without an Upgrade header");
    }
    let other = service.ask("GET /livez", "upgrade: h2c\r\n").await;
    assert_eq!(other.status, 200, "an upgrade that is not known is ignored, as RFC 9110 asks");
    service.assert_serving().await;
}

#[tokio::test]
async fn an_idempotency_key_that_is_not_a_key() {
    let service = Service::start(&[]).await;
    let long = "k".repeat(257);
    for key in ["", "a b", "ключ", &long] {
        let answer = service.ask_post(&format!("idempotency-key: {key}\r\n"), b"x").await;
        answer.assert_error(400, "bad_key", "visible ASCII");
    }
    assert!(service.held("main").is_empty());
}

#[tokio::test]
async fn a_parameter_that_is_not_known_is_refused_with_those_that_are() {
    let service = Service::start(&[]).await;
    for query in ["topics=a", "Since=now", "limits=1", "topic=a&x", "=1"] {
        let answer = service.ask(&format!("GET /messages?{query}"), "").await;
        answer.assert_error(400, "unknown_parameter", "this route takes topic, since, limit");
    }
    for query in ["topics=a", "since=now", "limit=1"] {
        let answer = service.post(&format!("?{query}"), "text/plain", "x").await;
        answer.assert_error(400, "unknown_parameter", "this route takes topic");
    }
    assert!(service.held(">").is_empty());
    // Caches and libraries add such names.
    assert_eq!(service.ask("GET /messages?_=1764000000000&_v=2&_v=3&&topic=a&", "").await.status, 200);
    assert_eq!(service.ask("GET /livez?t=1", "").await.status, 200, "a route without parameters does not read them");
}

#[tokio::test]
async fn a_parameter_with_one_value_is_given_once() {
    let service = Service::start(&[]).await;
    for query in ["since=now&since=earliest", "limit=1&limit=1", "since=now&s%69nce=now"] {
        let answer = service.ask(&format!("GET /messages?{query}"), "").await;
        answer.assert_error(400, "bad_parameter", "give it once");
    }
    service.post("?topic=a&topic=a", "text/plain", "x").await.assert_error(400, "bad_parameter", "topic");
    assert!(service.held(">").is_empty());
}

/// An answer may be half written when the rest of the request turns out to be none, or the next one.
#[tokio::test]
async fn nothing_is_written_behind_an_answer_that_is_half_written() {
    let service = Service::start(&["--max-unsent-bytes", "16 KiB", "--history-bytes", "32 MiB"]).await;
    for _ in 0..40 {
        service.publish("main", &"x".repeat(60_000)).await;
    }
    let head = "GET /messages?limit=1000 HTTP/1.1\r\nhost: test\r\n";
    for (rest, is_cut) in [("transfer-encoding: chunked\r\n\r\nno chunk\r\n", true), ("\r\nG@RB@GE\r\n\r\n", false)] {
        // Its system takes little of the answer before it reads.
        let mut client = RawClient::connect_narrow(service.address()).await;
        client.send(format!("{head}{rest}")).await;
        let answers = client.read_to_end().await;
        let (head, body) = answers.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
        let length: usize = length.parse().unwrap();
        assert_eq!(body.len() < length, is_cut, "{} of {length} bytes after {rest}", body.len());
        // A further answer stands behind the whole of the first one.
        assert_eq!(body.find("HTTP/1.1 "), (!is_cut).then_some(length), "{rest}");
    }
}
