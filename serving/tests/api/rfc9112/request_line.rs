//! Sections 2.2, 2.3 and 3: how a message is parsed, and its first line.

use super::exchange::{answer_to, assert_live, assert_not_http};
use crate::service::Service;

/// The request of RFC 9110, section 3.9; `GET /hello.txt` is answered as any path that is not there.
#[tokio::test]
async fn the_example_of_a_message_is_a_request() {
    let service = Service::start(&[]).await;
    let head = "GET /hello.txt HTTP/1.1\r\nUser-Agent: curl/7.64.1\r\nHost: www.example.com\r\nAccept-Language: en, mi";
    answer_to(&service, head).await.assert_error(404, "not_found", "path");
}

/// Section 2.2: a server should ignore at least one empty line before the request line.
#[tokio::test]
async fn empty_lines_before_a_request_are_ignored() {
    let head = "GET /livez HTTP/1.1\r\nhost: test";
    assert_live(&[&format!("\r\n{head}"), &format!("\r\n\r\n\r\n{head}")]).await;
}

/// Section 2.2: a line feed alone may end a line.
#[tokio::test]
async fn a_line_feed_ends_a_line() {
    let service = Service::start(&[]).await;
    let answer = service.raw("GET /livez HTTP/1.1\nhost: test\nconnection: close\n\n").await;
    assert_eq!(answer.status, 200);
}

/// Section 2.2: a carriage return alone is not the end of a line, and space before the first field is to be refused.
#[tokio::test]
async fn a_carriage_return_alone_and_space_before_the_first_field_are_refused() {
    assert_not_http(&["GET /livez HTTP/1.1\r\nhost: test\r\nx: a\rb", "GET /livez HTTP/1.1\r\n host: test"]).await;
}

/// Section 3: three words with one space between them.
#[tokio::test]
async fn a_request_line_is_three_words() {
    assert_not_http(&[
        "GET  /livez HTTP/1.1\r\nhost: test",
        "GET\t/livez HTTP/1.1\r\nhost: test",
        "GET /livez  HTTP/1.1\r\nhost: test",
        "GET /livez HTTP/1.1 \r\nhost: test",
        "GET /livez\r\nhost: test",
    ])
    .await;
}

/// Section 3.1: a method is a token, and its case counts.
#[tokio::test]
async fn a_method_is_a_token() {
    assert_not_http(&["G(T /livez HTTP/1.1\r\nhost: test", "G@T /livez HTTP/1.1\r\nhost: test"]).await;
    let service = Service::start(&[]).await;
    let answer = answer_to(&service, "get /livez HTTP/1.1\r\nhost: test").await;
    answer.assert_error(405, "method_not_allowed", "GET, HEAD");
}

/// Section 2.3: the name of the protocol is in upper case.
///
/// Against section 2.3 of RFC 9112 and section 2.5 of RFC 9110: a higher minor version is to be served as 1.1, and another
/// major version to be answered with 505.
#[tokio::test]
async fn a_version_is_1_0_or_1_1() {
    assert_not_http(&[
        "GET /livez http/1.1\r\nhost: test",
        "GET /livez HTTP/1.2\r\nhost: test",
        "GET /livez HTTP/2.0\r\nhost: test",
    ])
    .await;
}
