//! Sections 9.3 to 9.6: how long a connection stays, and several requests on it.

use crate::answer::Answer;
use crate::service::Service;

const ASK: &str = "GET /livez HTTP/1.1\r\nhost: test\r\n\r\n";

/// Sends bytes on one connection, has the client end its side, and returns the answers.
async fn answers_to(service: &Service, bytes: &str) -> Vec<Answer> {
    let mut client = service.connect().await;
    client.send(bytes).await;
    client.finish().await;
    let text = client.read_to_end().await;
    let starts: Vec<usize> = text.match_indices("HTTP/1.").map(|(at, _)| at).collect();
    let ends = starts.iter().skip(1).copied().chain([text.len()]);
    starts.iter().zip(ends).map(|(start, end)| Answer::parse(&text[*start..end])).collect()
}

/// Section 9.3: HTTP/1.1 stays unless `close` is said, in any case and in any place of a list; HTTP/1.0 stays if it says
/// `keep-alive`, and `close` wins.
#[tokio::test]
async fn a_connection_stays_as_its_version_and_its_options_say() {
    let service = Service::start(&[]).await;
    for (version, headers, stays) in [
        ("1.1", "", true),
        ("1.1", "connection: keep-alive\r\n", true),
        ("1.1", "connection: foo\r\n", true),
        ("1.1", "connection: close\r\n", false),
        ("1.1", "connection: Close\r\n", false),
        ("1.1", "connection: keep-alive, close\r\n", false),
        ("1.1", "connection: close, keep-alive\r\n", false),
        ("1.1", "connection: foo\r\nconnection: close\r\n", false),
        ("1.0", "", false),
        ("1.0", "connection: keep-alive\r\n", true),
        ("1.0", "connection: keep-alive, close\r\n", false),
    ] {
        let request = format!("GET /livez HTTP/{version}\r\nhost: test\r\n{headers}\r\n");
        let answers = answers_to(&service, &format!("{request}{request}")).await;
        assert_eq!(answers.len(), if stays { 2 } else { 1 }, "HTTP/{version} {headers:?}: {answers:?}");
        let option = answers[0].header("connection");
        let expected = match (version, stays) {
            ("1.1", false) => Some("close"),
            ("1.0", true) => Some("keep-alive"),
            _ => None,
        };
        assert_eq!(option, expected, "HTTP/{version} {headers:?}");
    }
}

/// Section 9.3.2: answers come in the order of the requests, whatever their methods.
#[tokio::test]
async fn pipelined_requests_are_answered_in_order() {
    let service = Service::start(&[]).await;
    let publish = "POST /messages HTTP/1.1\r\nhost: test\r\ncontent-length: 3\r\n\r\nabc";
    let nothing = "GET /nothing HTTP/1.1\r\nhost: test\r\n\r\n";
    let answers = answers_to(&service, &[publish, ASK, nothing, publish, ASK].concat()).await;
    let statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
    assert_eq!(statuses, [201, 200, 404, 201, 200]);
}

/// Section 2.2: an empty line after a body, which old clients send, is no request.
#[tokio::test]
async fn a_line_end_after_a_body_is_ignored() {
    let service = Service::start(&[]).await;
    let publish = "POST /messages HTTP/1.1\r\nhost: test\r\ncontent-length: 3\r\n\r\nabc\r\n";
    let answers = answers_to(&service, &format!("{publish}{ASK}")).await;
    assert_eq!(answers.iter().map(|answer| answer.status).collect::<Vec<_>>(), [201, 200]);
}

/// Section 9.6: requests after one that says `close` are not served.
#[tokio::test]
async fn nothing_is_served_after_close() {
    let service = Service::start(&[]).await;
    let last = "POST /messages HTTP/1.1\r\nhost: test\r\nconnection: close\r\ncontent-length: 3\r\n\r\nabc";
    let answers = answers_to(&service, &[last, last, ASK].concat()).await;
    assert_eq!(answers.iter().map(|answer| answer.status).collect::<Vec<_>>(), [201]);
    assert_eq!(service.held("main"), ["abc"]);
}
