//! Section 7.1: a body in chunks.

use super::exchange::NOT_HTTP;
use crate::answer::Answer;
use crate::service::Service;

async fn publish(service: &Service, headers: &str, chunks: &str) -> Answer {
    let head = "POST /messages HTTP/1.1\r\nhost: test\r\nconnection: close\r\ntransfer-encoding: chunked\r\n";
    service.raw(format!("{head}{headers}\r\n{chunks}")).await
}

async fn assert_published(chunks: &[&str], text: &str) {
    let service = Service::start(&[]).await;
    for chunks in chunks {
        let answer = publish(&service, "", chunks).await;
        assert_eq!(answer.status, 201, "{chunks:?}: {answer:?}");
    }
    assert_eq!(service.held("main"), vec![text; chunks.len()]);
}

/// Section 7.1: sizes in hexadecimal of either case, with any number of zeros before them.
#[tokio::test]
async fn a_size_is_hexadecimal() {
    assert_published(
        &[
            "A\r\n0123456789\r\n0\r\n\r\n",
            "a\r\n0123456789\r\n0\r\n\r\n",
            "0000000a\r\n0123456789\r\n000\r\n\r\n",
            "4\r\n0123\r\n6\r\n456789\r\n0\r\n\r\n",
        ],
        "0123456789",
    )
    .await;
}

/// Section 7.1.1: extensions that are not known are ignored, quoted ones and ones with space around them too.
#[tokio::test]
async fn extensions_are_ignored() {
    assert_published(
        &[
            "3;name=value\r\nabc\r\n0\r\n\r\n",
            "3;a;b=c;d=\"e;f\"\r\nabc\r\n0;last\r\n\r\n",
            "3;a=\"\\\"\"\r\nabc\r\n0\r\n\r\n",
            "3 ; name = value\r\nabc\r\n0\r\n\r\n",
        ],
        "abc",
    )
    .await;
}

/// Section 7.1.2: trailers may be ignored, and none of them counts as a header.
#[tokio::test]
async fn trailers_are_ignored() {
    let service = Service::start(&[]).await;
    for (headers, trailers) in [
        ("", "x-trailer: y\r\n"),
        ("trailer: x-trailer\r\n", "x-trailer: y\r\n"),
        ("", "content-length: 5\r\ncontent-encoding: gzip\r\nidempotency-key: k\r\n"),
    ] {
        let answer = publish(&service, headers, &format!("3\r\nabc\r\n0\r\n{trailers}\r\n")).await;
        assert_eq!(answer.status, 201, "{trailers:?}: {answer:?}");
    }
    assert_eq!(service.held("main"), ["abc", "abc", "abc"]);
}

/// Section 7.1: whatever else stands where a chunk has to be.
#[tokio::test]
async fn chunks_that_are_malformed_are_refused() {
    let service = Service::start(&[]).await;
    for chunks in [
        "\r\nabc\r\n0\r\n\r\n",
        "0x3\r\nabc\r\n0\r\n\r\n",
        "-3\r\nabc\r\n0\r\n\r\n",
        "3\r\nabc0\r\n\r\n",
        "3\nabc\n0\n\n",
        "3;a\nb\r\nabc\r\n0\r\n\r\n",
        "10000000000000000\r\nabc\r\n0\r\n\r\n",
        "3\r\nabc\r\n0\r\nno colon\r\n\r\n",
    ] {
        let answer = publish(&service, "", chunks).await;
        assert_eq!(answer.status, 400, "{chunks:?}: {answer:?}");
        answer.assert_error(400, "bad_request", NOT_HTTP);
    }
    assert!(service.held("main").is_empty());
}
