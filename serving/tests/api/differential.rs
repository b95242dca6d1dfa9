//! The service's own reader of requests against hyper, on random requests.
//!
//! A request that comes whole may be read by the service itself. One that comes in two pieces is always read by hyper: once
//! the first piece is read, the service sees that it has no whole head. Both have to be answered alike.

use bytes::Bytes;
use proptest::prelude::*;
use proptest::test_runner::{TestCaseError, TestRunner};
use serving::connection::Answer;
use serving::reply::{Body, Reply};
use serving::request::Request;
use serving::routes::{MethodRoute, Upgrade};
use testkit::get;

use crate::random_head::{PATH, random_head, random_publication};
use crate::service::Service;

/// Answers a request with all that the reader of its head found in it.
async fn reflect(request: Request) -> Result<Answer, serving::error::ApiError> {
    let mut headers: Vec<_> = request.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
    // The order of values of one name counts, that of names does not.
    headers.sort_by_key(|(name, _)| *name);
    let found = format!("{} {:?} {:?} {headers:?}", request.method, request.version(), request.query);
    Ok(Reply::new(http::StatusCode::OK, Body::from_iter([Bytes::from(found)])).into())
}

async fn start(flags: &[&str]) -> Service {
    let route = MethodRoute::new(PATH, Upgrade::Refused, reflect);
    Service::start_with(flags, vec![route]).await
}

/// Sends pieces, each once the one before has been read, and returns the bytes of the answers. The service runs in the one
/// thread of the test, and reads what reaches it earlier first.
async fn answers_to(service: &Service, pieces: &[&[u8]]) -> String {
    let mut client = service.connect().await;
    for piece in pieces {
        client.try_send(piece).await;
        if pieces.len() > 1 {
            get(service.address(), "/livez").await;
        }
    }
    client.finish().await;
    client.read_to_end().await
}

/// Compares answers, but for what may differ: the date, the order of headers, the id of a message that was published, and in answers to HTTP/1.0 the version that
/// they name (RFC 9110, section 6.2) and a `close` that goes without saying (RFC 9112, section 9.3).
fn are_alike(whole: &str, in_pieces: &str) -> bool {
    let to_http_1_0 = in_pieces.contains("HTTP/1.0 ");
    let publishes = in_pieces.contains(" 201 ");
    let may_differ = |line: &str| {
        line.starts_with("date: ")
            || to_http_1_0 && line == "connection: close"
            || publishes && (line.starts_with("content-length: ") || line.starts_with("{\"id\":"))
    };
    let comparable = |answers: &str| -> Vec<Vec<String>> {
        let part = |part: &str| {
            let lines = part.split("\r\n").filter(|line| !may_differ(line));
            let mut lines: Vec<_> = lines.map(|line| line.replace("HTTP/1.0 ", "HTTP/1.1 ")).collect();
            lines.sort();
            lines
        };
        answers.split("\r\n\r\n").map(part).collect()
    };
    comparable(whole) == comparable(in_pieces)
}

/// Sends each request whole and in two pieces, and compares the answers.
fn assert_answered_alike(request: impl Strategy<Value = Vec<u8>>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let service = runtime.block_on(start(&["--allow-origin", "http://page.example"]));
    let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
    let request = (request, any::<prop::sample::Index>());
    let alike = TestRunner::new(config).run(&request, |(head, cut)| {
        let (first, second) = head.split_at(cut.index(head.len().clamp(1, 20)));
        let whole = runtime.block_on(answers_to(&service, &[&head]));
        let in_pieces = runtime.block_on(answers_to(&service, &[first, second]));
        if are_alike(&whole, &in_pieces) {
            return Ok(());
        }
        let head = String::from_utf8_lossy(&head).into_owned();
        Err(TestCaseError::fail(format!("{head:?}\nwhole: {whole:?}\nin pieces: {in_pieces:?}")))
    });
    alike.unwrap_or_else(|failure| panic!("{failure}"));
}

#[test]
fn a_head_is_answered_alike_by_both_readers() {
    assert_answered_alike(random_head());
}

#[test]
fn a_publication_is_answered_alike_by_both_readers() {
    assert_answered_alike(random_publication());
}

/// Whatever the client asks for, a request that breaks the rules is the last of its connection.
#[tokio::test]
async fn a_bad_request_of_http_1_0_ends_its_connection() {
    let service = start(&[]).await;
    let head = format!("GET {PATH} HTTP/1.0\r\nhost: test\r\nConnection: keep-alive\r\nhost: other\r\n\r\n");
    for pieces in [&[head.as_bytes()][..], &[&head.as_bytes()[..5], &head.as_bytes()[5..]]] {
        let answer = answers_to(&service, pieces).await;
        assert!(answer.contains("400 Bad Request") && answer.contains("connection: close\r\n"), "{answer}");
    }
}

/// The version in an answer to HTTP/1.0 shows which reader it was.
#[tokio::test]
async fn a_whole_head_and_one_in_pieces_are_read_by_different_readers() {
    let service = start(&[]).await;
    let head = format!("GET {PATH}?topic=a HTTP/1.0\r\nhost: test\r\n\r\n");
    let whole = answers_to(&service, &[head.as_bytes()]).await;
    let in_pieces = answers_to(&service, &[&head.as_bytes()[..5], &head.as_bytes()[5..]]).await;
    assert!(whole.starts_with("HTTP/1.1 200 "), "{whole}");
    assert!(in_pieces.starts_with("HTTP/1.0 200 "), "{in_pieces}");
}

#[tokio::test]
async fn the_limit_of_a_head_is_the_same_for_both_readers() {
    // Less than is read at once, so that a head beyond the limit comes whole.
    const LIMIT: usize = 8 * 1024;
    let service = start(&["--max-head-bytes", "8 KiB"]).await;
    let head = |value: &str| format!("GET {PATH} HTTP/1.1\r\nhost: test\r\nconnection: close\r\nx: {value}\r\n\r\n");
    for length in LIMIT - 2..LIMIT + 3 {
        let head = head(&"x".repeat(length - head("").len()));
        let whole = answers_to(&service, &[head.as_bytes()]).await;
        let in_pieces = answers_to(&service, &[&head.as_bytes()[..5], &head.as_bytes()[5..]]).await;
        assert!(are_alike(&whole, &in_pieces), "{length} bytes: {whole} {in_pieces}");
        assert_eq!(whole.starts_with("HTTP/1.1 200 "), length <= LIMIT, "{length} bytes: {whole}");
    }
}

/// A head of the default limit has room for the longest subscription: 64 topics of 519 characters.
#[tokio::test]
async fn the_longest_subscription_fits_by_default() {
    let service = start(&[]).await;
    let token = "x".repeat(64);
    let topic = |n: usize| format!("topic={}{n:064}", format!("{token}.").repeat(7));
    let topics: Vec<String> = (0..64).map(topic).collect();
    let head = format!("GET {PATH}?{} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n", topics.join("&"));
    let whole = answers_to(&service, &[head.as_bytes()]).await;
    let in_pieces = answers_to(&service, &[&head.as_bytes()[..5], &head.as_bytes()[5..]]).await;
    for answer in [whole, in_pieces] {
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer:.200}");
    }
    let messages = head.replace(PATH, "/messages");
    assert_eq!(service.raw(messages).await.status, 200);
    service.raw(format!("GET /{} HTTP/1.1\r\nhost: test\r\n\r\n", "x".repeat(70_000))).await.assert_error(
        431,
        "head_too_large",
        "--max-head-bytes",
    );
}
