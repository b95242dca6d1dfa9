//! Sections 6.1 to 6.3: where the body of a request ends.

use super::exchange::NOT_HTTP;
use crate::answer::Answer;
use crate::service::Service;

const CHUNKS: &str = "3\r\nabc\r\n0\r\n\r\n";

/// Publishes with these headers, each a line, and returns the answer. The connection is kept open by the head.
async fn publish(service: &Service, headers: &str, body: &str) -> Answer {
    service.raw(format!("POST /messages HTTP/1.1\r\nhost: test\r\n{headers}\r\n{body}")).await
}

/// Checks that publications with these headers cannot be read: their answers end the connection.
async fn assert_refused(headers: &[&str], body: &str) {
    let service = Service::start(&[]).await;
    for headers in headers {
        let answer = publish(&service, headers, body).await;
        assert_eq!(answer.status, 400, "{headers:?}: {answer:?}");
        answer.assert_error(400, "bad_request", NOT_HTTP);
        assert_eq!(answer.header("connection"), Some("close"), "{headers:?}");
    }
    assert!(service.held("main").is_empty());
}

/// Section 6.3, item 3: the transfer coding overrides the length, and the connection is closed after the answer, with what
/// follows unread (section 6.1).
#[tokio::test]
async fn chunks_override_a_length_and_end_the_connection() {
    let service = Service::start(&[]).await;
    for headers in
        ["content-length: 5\r\ntransfer-encoding: chunked\r\n", "transfer-encoding: chunked\r\ncontent-length: 5\r\n"]
    {
        let hidden = "GET /livez HTTP/1.1\r\nhost: test\r\n\r\n";
        let answer = publish(&service, headers, &format!("{CHUNKS}{hidden}")).await;
        assert_eq!((answer.status, answer.header("connection")), (201, Some("close")), "{answer:?}");
    }
    assert_eq!(service.held("main"), ["abc", "abc"]);
}

/// Section 6.3, item 4: a request whose last transfer coding is not chunked has no end, and is answered with 400.
#[tokio::test]
async fn a_transfer_coding_that_does_not_end_with_chunked_is_refused() {
    let headers = [
        "transfer-encoding: gzip\r\n",
        "transfer-encoding: chunked, gzip\r\n",
        "transfer-encoding: chunked\r\ntransfer-encoding: gzip\r\n",
        "transfer-encoding: identity\r\n",
        "transfer-encoding: xchunked\r\n",
        "transfer-encoding:\r\n",
    ];
    assert_refused(&headers, CHUNKS).await;
}

/// Section 7: the names of codings are not case-sensitive.
#[tokio::test]
async fn chunked_is_written_in_any_case() {
    let service = Service::start(&[]).await;
    for headers in ["transfer-encoding: Chunked\r\n", "transfer-encoding: \tCHUNKED \r\n"] {
        let answer = publish(&service, &format!("connection: close\r\n{headers}"), CHUNKS).await;
        assert_eq!(answer.status, 201, "{headers:?}: {answer:?}");
    }
    assert_eq!(service.held("main"), ["abc", "abc"]);
}

/// Section 6.1: a transfer coding that the service does not know is answered with 501.
#[tokio::test]
async fn an_unknown_coding_before_chunked_is_not_implemented() {
    let service = Service::start(&[]).await;
    for headers in [
        "transfer-encoding: gzip, chunked\r\n",
        "transfer-encoding: gzip\r\ntransfer-encoding: chunked\r\n",
        "transfer-encoding: x,\t,chunked\r\n",
        "transfer-encoding: gzip, chunked, chunked\r\n",
    ] {
        let answer = publish(&service, headers, CHUNKS).await;
        answer.assert_error(501, "unknown_transfer_coding", "`Transfer-Encoding: chunked` alone");
        assert_eq!(answer.header("connection"), Some("close"), "{headers:?}");
    }
    assert!(service.held("main").is_empty());
}

/// Section 6.1: a sender must not apply chunked twice.
#[tokio::test]
async fn a_body_that_is_chunked_twice_is_refused() {
    let headers =
        ["transfer-encoding: chunked, chunked\r\n", "transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n"];
    assert_refused(&headers, CHUNKS).await;
}

/// Section 6.1: HTTP/1.0 has no transfer codings, so the framing of such a request is faulty.
#[tokio::test]
async fn a_transfer_coding_in_http_1_0_is_refused() {
    let service = Service::start(&[]).await;
    let head = "POST /messages HTTP/1.0\r\nconnection: keep-alive\r\ntransfer-encoding: chunked\r\n\r\n";
    let answer = service.raw(format!("{head}{CHUNKS}")).await;
    answer.assert_error(400, "bad_request", NOT_HTTP);
}

/// Section 6.3, item 5: lengths that differ, or are no number, are answered with 400. A list of equal ones may be.
#[tokio::test]
async fn a_length_that_is_not_one_number_is_refused() {
    let headers = [
        "content-length: 3\r\ncontent-length: 4\r\n",
        "content-length: 3, 3\r\n",
        "content-length: 3, 4\r\n",
        "content-length: +3\r\n",
        "content-length: -3\r\n",
        "content-length: 0x3\r\n",
        "content-length: 3 3\r\n",
        "content-length: 3.0\r\n",
        "content-length:\r\n",
    ];
    assert_refused(&headers, "abc").await;
}

/// Section 6.2 and section 8.6 of RFC 9110: any number of digits, and the same length in two lines may be accepted.
#[tokio::test]
async fn a_length_is_any_number_of_digits() {
    let service = Service::start(&[]).await;
    for headers in ["content-length: 003\r\n", "content-length: 3\r\ncontent-length: 3\r\n"] {
        let answer = publish(&service, &format!("connection: close\r\n{headers}"), "abc").await;
        assert_eq!(answer.status, 201, "{headers:?}: {answer:?}");
    }
    assert_eq!(service.held("main"), ["abc", "abc"]);
}

/// Section 6.3, item 7: a request with neither field has no body, and what follows is the next request.
#[tokio::test]
async fn a_request_without_a_length_has_no_body() {
    let service = Service::start(&[]).await;
    let answer = publish(&service, "connection: close\r\n", "abc").await;
    answer.assert_error(400, "no_text", "text/plain");
}
