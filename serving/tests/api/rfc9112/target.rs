//! Section 3.2: the request target and the host.

use super::exchange::{PATH, answer_to, assert_live, assert_not_http, service_with_a_method};
use crate::service::Service;

/// Asserts that nothing is at these targets.
async fn assert_not_found(heads: &[&str]) {
    let service = Service::start(&[]).await;
    for head in heads {
        let answer = answer_to(&service, head).await;
        assert_eq!(answer.status, 404, "{head:?}: {answer:?}");
        answer.assert_error(404, "not_found", "path");
    }
}

/// Section 3.2: a request of HTTP/1.1 without a host, with two, or with one that is no host is answered with 400. A URL of `http`
/// has a host that is not empty (RFC 9110, section 4.2.1).
#[tokio::test]
async fn a_request_has_one_host() {
    for path in ["/livez", PATH, "http://a.example/livez"] {
        assert_not_http(&[
            &format!("GET {path} HTTP/1.1"),
            &format!("GET {path} HTTP/1.1\r\nhost: a\r\nhost: b"),
            &format!("GET {path} HTTP/1.1\r\nhost: a\r\nhost: a"),
            &format!("GET {path} HTTP/1.0\r\nhost: a\r\nhost: b"),
            &format!("GET {path} HTTP/1.1\r\nhost: a b"),
            &format!("GET {path} HTTP/1.1\r\nhost: a/b"),
            &format!("GET {path} HTTP/1.1\r\nhost: u@a"),
            &format!("GET {path} HTTP/1.1\r\nhost: \u{e9}"),
            &format!("GET {path} HTTP/1.1\r\nhost:"),
        ])
        .await;
    }
    assert_live(&[
        "GET /livez HTTP/1.0",
        "GET /livez HTTP/1.1\r\nhost: [::1]:3001",
        "GET /livez HTTP/1.1\r\nhost: under_score.example:80",
    ])
    .await;
}

/// The answer to a bad host is the last one on its connection, whichever reader of requests finds it.
#[tokio::test]
async fn a_bad_host_ends_the_connection() {
    let service = service_with_a_method().await;
    for path in ["/livez", PATH] {
        let request = format!("GET {path} HTTP/1.1\r\n\r\n");
        let answer = service.raw(request.repeat(2)).await;
        answer.assert_error(400, "bad_request", "no Host header");
        assert_eq!(answer.header("connection"), Some("close"), "{path}");
    }
}

/// Section 3.2.1.
#[tokio::test]
async fn the_origin_form_is_a_path_with_a_query() {
    assert_not_found(&["GET /where?q=now HTTP/1.1\r\nHost: www.example.org"]).await;
    assert_live(&["GET /livez?q=now HTTP/1.1\r\nHost: www.example.org"]).await;
}

/// Section 3.2.2: the host of the target counts, whatever the field says. The service serves every host.
#[tokio::test]
async fn the_absolute_form_is_served_as_its_path() {
    assert_not_found(&["GET http://www.example.org/pub/WWW/TheProject.html HTTP/1.1\r\nHost: www.example.org"]).await;
    assert_live(&[
        "GET http://www.example.org/livez HTTP/1.1\r\nHost: www.example.org",
        "GET http://www.example.org/livez HTTP/1.1\r\nHost: elsewhere.example",
        "GET HTTP://www.example.org/livez HTTP/1.1\r\nHost: www.example.org",
        "GET https://www.example.org/livez HTTP/1.1\r\nHost: www.example.org",
    ])
    .await;
}

/// Section 3.2.3. The service is no proxy. The authority form is for `CONNECT` alone.
#[tokio::test]
async fn the_authority_form_leads_nowhere() {
    assert_not_found(&[
        "CONNECT www.example.com:80 HTTP/1.1\r\nHost: www.example.com",
        "GET www.example.com:80 HTTP/1.1\r\nHost: www.example.com",
    ])
    .await;
}

/// Section 3.2.4, with both forms of its second example. The asterisk form is for `OPTIONS` alone.
#[tokio::test]
async fn the_asterisk_form_leads_nowhere() {
    assert_not_found(&[
        "OPTIONS * HTTP/1.1\r\nHost: www.example.org",
        "OPTIONS http://www.example.org:8001 HTTP/1.1\r\nHost: www.example.org:8001",
        "OPTIONS * HTTP/1.1\r\nHost: www.example.org:8001",
        "GET * HTTP/1.1\r\nHost: www.example.org",
    ])
    .await;
}

/// Against section 3.2: what fits none of the four forms is no request target, and section 3 asks for 400.
#[tokio::test]
async fn targets_of_no_form_are_read_as_paths() {
    assert_not_found(&["GET livez HTTP/1.1\r\nhost: test", "GET /l\u{e9}vez HTTP/1.1\r\nhost: test"]).await;
    assert_live(&[
        "GET /livez#fragment HTTP/1.1\r\nhost: test",
        "GET ftp://www.example.org/livez HTTP/1.1\r\nhost: www.example.org",
    ])
    .await;
}
