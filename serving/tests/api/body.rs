//! Bodies that cannot be published.

use testkit::soon;

use crate::answer::Answer;
use crate::service::Service;

const JSON: &str = "content-type: application/json\r\n";

#[tokio::test]
async fn json_of_another_form() {
    let service = Service::start(&[]).await;
    let deep = "[".repeat(10_000);
    for body in ["", "{", "[", "null", "1", "\"text\"", "{}x", r#"{"text":1}"#, r#"{"text":"a"} {"text":"b"}"#, &deep] {
        service.ask_post(JSON, body.as_bytes()).await.assert_error(400, "bad_json", r#"send {"text":"…"}"#);
        service.assert_serving().await;
    }
    for (body, advice) in [
        (r#"{"text":"a","colour":"red"}"#, "colour"),
        (r#"{"text":"a","text":"b"}"#, "duplicate"),
        (r#"[{"text":"a"},{"txt":"b"}]"#, "txt"),
        (r#"[{"text":"a"},"b"]"#, "array of those"),
        (r#"[{"text":"a"},["b"]]"#, "array of those"),
        (r#"[["a","news"]]"#, "array of those"),
        (r#"{"text":"\ud800"}"#, "send"),
    ] {
        service.ask_post(JSON, body.as_bytes()).await.assert_error(400, "bad_json", advice);
    }
    assert!(service.held("main").is_empty(), "of a bad array nothing is published");
}

#[tokio::test]
async fn an_event_name_that_would_mislead_a_client() {
    let service = Service::start(&[]).await;
    let long = "x".repeat(129);
    for event in ["", "gap", "open", "error", "a\\nb", "\\u0000", &long] {
        let body = format!(r#"{{"text":"a","event":"{event}"}}"#);
        service.ask_post(JSON, body.as_bytes()).await.assert_error(400, "bad_json", "event name");
    }
    assert!(service.held("main").is_empty());
}

#[tokio::test]
async fn nothing_to_publish() {
    let service = Service::start(&[]).await;
    for (headers, body) in [
        ("", ""),
        ("content-type: text/plain\r\n", ""),
        (JSON, "{}"),
        (JSON, r#"{"text":null}"#),
        (JSON, r#"{"event":"e"}"#),
        (JSON, "[]"),
        (JSON, r#"[{"text":"a"},{}]"#),
    ] {
        service.ask_post(headers, body.as_bytes()).await.assert_error(400, "no_text", "text/plain");
    }
    assert!(service.held("main").is_empty());
}

#[tokio::test]
async fn text_that_is_not_utf_8() {
    let service = Service::start(&[]).await;
    for body in [&b"\xff"[..], b"\xc3\x28", b"abc\xed\xa0\x80", b"\xe4\xbd"] {
        for headers in ["", JSON] {
            service.ask_post(headers, body).await.assert_error(400, "invalid_utf8", "UTF-8");
        }
    }
    assert!(service.held("main").is_empty());
}

#[tokio::test]
async fn an_encoding_that_is_not_understood() {
    let service = Service::start(&[]).await;
    for headers in [
        "content-encoding: gzip\r\n",
        "content-type: text/plain; charset=gbk\r\n",
        "content-type: a/b;charset=latin1\r\n",
    ] {
        service.ask_post(headers, b"x").await.assert_error(415, "unsupported_media_type", "send UTF-8");
    }
    let fine =
        service.ask_post("content-encoding: identity\r\ncontent-type: text/plain;Charset=\"UTF-8\"\r\n", b"x").await;
    assert_eq!(fine.status, 201, "{fine:?}");
    assert_eq!(service.held("main"), ["x"]);
}

#[tokio::test]
async fn a_body_that_is_announced_too_large() {
    let service = Service::start(&["--max-body-bytes", "1000"]).await;
    for length in ["1001", "99999999999", "9223372036854775807"] {
        let head = format!("POST /messages HTTP/1.1\r\nhost: test\r\ncontent-length: {length}\r\n\r\n");
        service.raw(head).await.assert_error(413, "too_large", "--max-body-bytes");
        service.assert_serving().await;
    }
    service.ask_post("", &[b'x'; 1000]).await.text("id");
}

#[tokio::test]
async fn a_body_that_turns_out_too_large() {
    let service = Service::start(&["--max-body-bytes", "1000"]).await;
    let head = "POST /messages HTTP/1.1\r\nhost: test\r\ntransfer-encoding: chunked\r\n\r\n";
    let chunk = format!("1f4\r\n{}\r\n", "x".repeat(500));
    let answer = service.raw(format!("{head}{chunk}{chunk}{chunk}")).await;
    answer.assert_error(413, "too_large", "the body is larger than 1000 bytes");

    let fits = service.raw(format!("{head}{chunk}{chunk}0\r\n\r\n").replace("host", "connection: close\r\nhost")).await;
    assert_eq!(fits.status, 201, "{fits:?}");
    assert_eq!(service.held("main").len(), 1);
}

/// A connection that is closed with bytes unread is reset, and a reset overtakes the answer.
#[tokio::test]
async fn a_client_that_is_refused_while_it_sends_can_read_the_reason() {
    let service = Service::start(&[]).await;
    for _ in 0..5 {
        let refused = service.post("", "text/plain", "x".repeat(8 << 20)).await;
        refused.assert_error(413, "too_large", "--max-body-bytes");
    }
    assert!(service.held("main").is_empty());
}

#[tokio::test]
async fn a_client_that_goes_on_sending_after_a_refusal_is_cut_off() {
    let service = Service::start(&["--max-body-bytes", "1000", "--read-timeout", "1h"]).await;
    let mut client = service.connect().await;
    client.send("POST /messages HTTP/1.1\r\nhost: test\r\ntransfer-encoding: chunked\r\n\r\n").await;
    let chunk = format!("4000\r\n{}\r\n", "x".repeat(0x4000));
    soon(async { while client.try_send(&chunk).await {} }).await;
    service.assert_serving().await;
}

#[tokio::test]
async fn a_body_that_does_not_come() {
    let service = Service::start(&["--read-timeout", "200ms"]).await;
    for framing in ["content-length: 10\r\n\r\nabc", "transfer-encoding: chunked\r\n\r\n3\r\nabc\r\n"] {
        let answer = service.raw(format!("POST /messages HTTP/1.1\r\nhost: test\r\n{framing}")).await;
        answer.assert_error(
            408,
            "too_slow",
            "the body of the request took too long to arrive; send it faster or raise --read-timeout",
        );
    }
    assert!(service.held("main").is_empty());
    service.assert_serving().await;
}

#[tokio::test]
async fn a_body_that_breaks_off_is_not_published() {
    let service = Service::start(&[]).await;
    for body in ["content-length: 10\r\n\r\nabc", "transfer-encoding: chunked\r\n\r\n3\r\nabc\r\n"] {
        let mut client = service.connect().await;
        client.send(format!("POST /messages HTTP/1.1\r\nhost: test\r\n{body}")).await;
        client.finish().await;
        // Nobody may be left to read an answer; if there is one, it is not a success.
        let answer = client.read_to_end().await;
        assert!(answer.is_empty() || Answer::parse(&answer).status == 400, "{answer}");
    }
    assert!(service.held("main").is_empty());
    service.assert_serving().await;
}

#[tokio::test]
async fn chunks_that_are_malformed() {
    let service = Service::start(&[]).await;
    for chunks in ["xyz\r\nabc\r\n0\r\n\r\n", "fffffffffffffffff\r\nabc", "3\r\nabcdef\r\n0\r\n\r\n"] {
        let head = "POST /messages HTTP/1.1\r\nhost: test\r\ntransfer-encoding: chunked\r\n\r\n";
        service.raw(format!("{head}{chunks}")).await.assert_error(400, "bad_request", "HTTP/1.1");
        service.assert_serving().await;
    }
    assert!(service.held("main").is_empty());
}

/// The service waits for its close, with the default for longer than this test does.
#[tokio::test]
async fn a_client_that_does_not_close_is_cut_off_after_the_close_time_out() {
    let service = Service::start(&["--close-timeout", "100ms", "--max-connections", "1"]).await;
    let mut client = service.connect().await;
    client.send("GET /messages HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n").await;
    client.read_to_end().await;
    let begun = std::time::Instant::now();
    soon(async { while service.ask("GET /messages", "").await.status != 200 {} }).await;
    assert!(begun.elapsed() < std::time::Duration::from_secs(1), "the place came back late");
}

/// A publication whose body has begun to come, with its length announced or in chunks.
async fn under_way(service: &Service, framing: &str, first: &str) -> testkit::RawClient {
    let mut client = service.connect().await;
    client
        .send(format!(
            "POST /messages HTTP/1.1\r\nhost: test\r\nconnection: close\r\nexpect: 100-continue\r\n{framing}\r\n\r\n"
        ))
        .await;
    assert!(client.read_until("\r\n\r\n").await.starts_with("HTTP/1.1 100 "));
    client.send(first).await;
    client
}

#[tokio::test]
async fn a_body_for_which_there_is_no_memory_is_refused_before_it_is_sent() {
    let flags = ["--body-budget", "2000", "--max-body-bytes", "2000", "--read-timeout", "1h"];
    let service = Service::start(&flags).await;
    let mut first = under_way(&service, "content-length: 1500", "").await;
    let head = "POST /messages HTTP/1.1\r\nhost: test\r\nexpect: 100-continue\r\ncontent-length: 600\r\n\r\n";
    let refused = service.raw(head).await;
    refused.assert_error(503, "too_many_bodies", "try again later");
    assert!(refused.header("retry-after").is_some());
    assert_eq!(service.ask_post("", b"small").await.status, 201);

    first.send("x".repeat(1500)).await;
    assert_eq!(Answer::parse(&first.read_to_end().await).status, 201);
    drop(first);
    soon(async { while service.ask_post("", "x".repeat(2000).as_bytes()).await.status != 201 {} }).await;
}

#[tokio::test]
async fn a_body_that_does_not_announce_its_length_takes_memory_as_it_comes() {
    let flags = ["--body-budget", "20000", "--max-body-bytes", "20000", "--read-timeout", "1h"];
    let service = Service::start(&flags).await;
    let _announced = under_way(&service, "content-length: 2000", "").await;
    let mut grows = under_way(&service, "transfer-encoding: chunked", "").await;
    let chunk = format!("7d0\r\n{}\r\n", "x".repeat(2000));
    for _ in 0..3 {
        grows.send(&chunk).await;
    }
    let refused = Answer::parse(&grows.read_to_end().await);
    refused.assert_error(503, "too_many_bodies", "try again later");
    assert!(service.held("main").is_empty());
}
