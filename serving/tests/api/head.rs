//! Bytes that never become a request.

use crate::answer::Answer;
use crate::service::Service;

#[tokio::test]
async fn garbage_instead_of_http() {
    let service = Service::start(&[]).await;
    let garbage: [&[u8]; 11] = [
        b"\r\n\r\n\x00\x01\x02\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 hello over TLS",
        b"SSH-2.0-OpenSSH_9.9\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET /livez\r\n\r\n",
        b"GET /livez HTTP/9.9\r\n\r\n",
        b"GET /livez HTTP/1.1\r\nno colon\r\n\r\n",
        b"GET /livez HTTP/1.1\r\nhost: a\x00b\r\n\r\n",
        b"GET / livez HTTP/1.1\r\n\r\n",
        b"POST /messages HTTP/1.1\r\ncontent-length: x\r\n\r\n",
        b"POST /messages HTTP/1.1\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab",
    ];
    for bytes in garbage {
        let shown = String::from_utf8_lossy(bytes);
        let mut client = service.connect().await;
        client.send(bytes).await;
        let answer = client.read_to_end().await;
        assert!(!answer.is_empty(), "no answer to {shown:?}");
        Answer::parse(&answer).assert_error(400, "bad_request", "not valid HTTP/1.1");
        service.assert_serving().await;
    }
}

#[tokio::test]
async fn garbage_after_a_good_request() {
    let service = Service::start(&[]).await;
    for (version, connection) in [("1.1", ""), ("1.0", "connection: keep-alive\r\n")] {
        for path in ["/livez", "/nothing"] {
            let mut client = service.connect().await;
            client.send(format!("GET {path} HTTP/{version}\r\nhost: test\r\n{connection}\r\n")).await;
            let first = client.read_until("}").await;
            assert!(Answer::parse(&first).status < 500);
            client.send("no request\r\n\r\n").await;
            let answer = Answer::parse(&client.read_to_end().await);
            answer.assert_error(400, "bad_request", "not valid HTTP/1.1");
        }
        let both = format!("GET /nothing HTTP/{version}\r\nhost: test\r\n{connection}\r\nno request\r\n\r\n");
        let mut client = service.connect().await;
        client.send(both).await;
        Answer::parse(&client.read_until("}").await).assert_error(404, "not_found", "path");
        Answer::parse(&client.read_to_end().await).assert_error(400, "bad_request", "not valid HTTP/1.1");
    }
    service.assert_serving().await;
}

#[tokio::test]
async fn a_head_that_is_too_large() {
    let service = Service::start(&["--max-head-bytes", "8 KiB"]).await;
    let long = "x".repeat(9000);
    for head in [
        format!("GET /messages?topic={long} HTTP/1.1\r\nhost: test\r\n\r\n"),
        format!("GET /livez HTTP/1.1\r\nx-long: {long}\r\n\r\n"),
        format!("GET /livez HTTP/1.1\r\n{}\r\n", "x: y\r\n".repeat(2000)),
    ] {
        service.raw(head).await.assert_error(431, "head_too_large", "--max-head-bytes");
        service.assert_serving().await;
    }
    let fits = "x".repeat(7000);
    assert_eq!(service.ask("GET /livez", &format!("x-long: {fits}\r\n")).await.status, 200);
}

/// A client that sends a short head is not helped by the advice to send a shorter one.
#[tokio::test]
async fn a_short_head_is_never_called_too_large() {
    let service = Service::start(&[]).await;
    for headers in ["x: y\r\n".repeat(150), "content-length: 18446744073709551615\r\n".to_owned()] {
        let answer = service.ask("POST /messages", &headers).await;
        assert!((400..500).contains(&answer.status), "{answer:?}");
        let message = answer.text("message");
        assert!(!message.contains("larger than 49152 bytes"), "{} bytes of headers: {message}", headers.len());
    }
    service.assert_serving().await;
}

#[tokio::test]
async fn a_head_that_does_not_come() {
    let service = Service::start(&["--read-timeout", "200ms"]).await;
    for begun in ["G", "GET /livez HTTP/1.1\r\n", "GET /livez HTTP/1.1\r\nhost: test\r\n"] {
        service.raw(begun).await.assert_error(
            408,
            "too_slow",
            "the head of the request took too long to arrive; send it faster or raise --read-timeout",
        );
    }
    service.assert_serving().await;
}

#[tokio::test]
async fn a_second_head_that_does_not_come() {
    let service = Service::start(&["--read-timeout", "200ms"]).await;
    let mut client = service.connect().await;
    client.send("GET /livez HTTP/1.1\r\nhost: test\r\n\r\nGET /li").await;
    assert_eq!(Answer::parse(&client.read_until("}").await).status, 200);
    Answer::parse(&client.read_to_end().await).assert_error(408, "too_slow", "head");
}

#[tokio::test]
async fn a_client_that_asks_for_nothing_gets_no_answer() {
    let service = Service::start(&["--read-timeout", "200ms"]).await;
    let mut client = service.connect().await;
    assert_eq!(client.read_to_end().await, "", "closed when the time is over");
    let mut client = service.connect().await;
    client.finish().await;
    assert_eq!(client.read_to_end().await, "");
    service.assert_serving().await;
}
