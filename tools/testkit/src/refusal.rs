//! Tests of requests that are refused, each with its reason in JSON.

use reqwest::Response;
use serde_json::Value;

use crate::publish::publish;
use crate::raw::get;
use crate::service::Service;
use crate::soon::soon;

/// Checks that an answer is a refusal that a program and a person can read.
///
/// # Panics
/// When it is another.
pub async fn assert_refused(response: Response, status: u16, error: &str) {
    let content_type = response.headers()["content-type"].to_str().expect("a type is text").to_owned();
    let got = response.status().as_u16();
    let body = soon(response.text()).await.expect("an answer has a body");
    assert_refusal(got, &content_type, &body, (status, error));
}

#[track_caller]
fn assert_refusal(status: u16, content_type: &str, body: &str, expected: (u16, &str)) {
    assert_eq!(content_type, "application/json", "{body}");
    let json: Value = serde_json::from_str(body).expect("the body is JSON");
    assert_eq!((status, json["error"].as_str().unwrap_or_default()), expected, "{body}");
    assert!(json["message"].as_str().is_some_and(|message| !message.is_empty()), "{body}");
}

/// Topics that are no topics, and too many of them, are refused.
pub async fn topics_that_are_no_topics_are_refused<S: Service>() {
    let server = S::start(&[]).await;
    let too_many: Vec<String> = (0..65).map(|n| format!("topic=t{n}")).collect();
    for (topics, error) in [
        ("topic=", "bad_topic"),
        ("topic=a..b", "bad_topic"),
        ("topic=a.%3E.b", "bad_topic"),
        ("topic=main&topic=%E4%B8%BB", "bad_topic"),
        (&too_many.join("&"), "bad_parameter"),
    ] {
        let request = S::request(server.address(), &format!("since=now&{topics}"));
        assert_refused(soon(request.send()).await.expect("an answer"), 400, error).await;
    }
}

/// Cursors that are no cursors are refused.
pub async fn cursors_that_are_no_cursors_are_refused<S: Service>() {
    let server = S::start(&[]).await;
    for since in ["", "yesterday", "-1", "a-b", "42"] {
        let request = S::request(server.address(), &format!("since={since}"));
        assert_refused(soon(request.send()).await.expect("an answer"), 400, "bad_cursor").await;
    }
}

/// A client beyond `--max-connections` is refused until another one has gone.
pub async fn a_client_beyond_the_most_connections_is_refused_for_now<S: Service>() {
    let server = S::start(&["--max-connections", "1"]).await;
    let held = S::hold(&server).await;
    let response = soon(S::request(server.address(), "").send()).await.expect("an answer");
    assert!(response.headers().contains_key("retry-after"));
    assert_refused(response, 503, "full").await;
    assert!(get(server.address(), "/readyz").await.starts_with("HTTP/1.1 200 "), "the process is well");

    drop(held);
    let served = async {
        loop {
            let answer = get(server.address(), "/messages").await;
            if answer.starts_with("HTTP/1.1 200 ") {
                return;
            }
            let (_, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
            assert_refusal(503, "application/json", body, (503, "full"));
        }
    };
    soon(served).await;
    publish(&server, "main", "there is room again").await;
}
