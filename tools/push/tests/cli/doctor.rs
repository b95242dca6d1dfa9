//! `push doctor`, with and without a real nginx that is in the way

use std::collections::HashMap;

use e2e::nginx::Nginx;
use e2e::service::{Method, Service};
use serde_json::Value;
use tokio::net::TcpListener;

use crate::helpers::{Ended, Running, push, service};

/// The lines that docs/operations.md asks for.
const WELL: &str = "proxy_http_version 1.1; proxy_buffering off; proxy_set_header Upgrade $http_upgrade; \
                    proxy_set_header Connection $http_connection;";

/// The findings by their checks.
fn findings(ended: &Ended) -> HashMap<String, Value> {
    let named = ended.json().into_iter().map(|finding| (finding["check"].as_str().unwrap().to_owned(), finding));
    named.collect()
}

/// The outcomes of checks.
fn outcomes<'a, const N: usize>(findings: &'a HashMap<String, Value>, checks: [&str; N]) -> [&'a str; N] {
    checks.map(|check| findings.get(check).map_or("none", |finding| finding["outcome"].as_str().unwrap()))
}

const METHODS: [&str; 3] = ["WebSocket", "Server-Sent Events", "long polling"];

async fn three_services(flags: &[&str]) -> [Service; 3] {
    Service::all_three(flags).await.unwrap()
}

/// Runs the command with short times.
async fn doctor(url: &str, more: &[&str]) -> Ended {
    let hold = if more.contains(&"--hold") { &[][..] } else { &["--hold", "1s"] };
    push(&[&["doctor", url, "--patience", "2s"], hold, more].concat()).await
}

#[tokio::test]
async fn a_service_by_itself_has_one_method() {
    for (method, served) in Method::ALL.into_iter().zip([0, 2, 1]) {
        let service = service(method, &[]).await;
        let ended = doctor(&service.url(""), &["--publish"]).await;
        assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{ended:?}");
        let findings = findings(&ended);
        for (number, check) in METHODS.into_iter().enumerate() {
            let expected = if number == served { "good" } else { "absent" };
            assert_eq!(outcomes(&findings, [check]), [expected], "{ended:?}");
            let delivery = if number == served { "good" } else { "none" };
            assert_eq!(outcomes(&findings, [&format!("delivery by {check}")]), [delivery], "{ended:?}");
        }
        assert_eq!(outcomes(&findings, ["service", "clock", "publishing"]), ["good"; 3], "{ended:?}");
        if let Some(headers) = findings.get("headers") {
            assert_eq!(headers["detail"], "none was lost on the way, none was added");
        }
    }
}

#[tokio::test]
async fn everything_gets_through_an_nginx_that_is_set_up_well() {
    let folder = tempfile::tempdir().unwrap();
    // One name in front of three services needs one history.
    let services = three_services(&[&format!("--data={}", folder.path().display())]).await;
    for service in &services {
        crate::helpers::ready(service).await;
    }
    let nginx = Nginx::start(&services, WELL).await.unwrap();
    let ended = doctor(&nginx.url(""), &["--publish"]).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let findings = findings(&ended);
    assert_eq!(outcomes(&findings, METHODS), ["good"; 3], "{ended:?}");
    let deliveries = METHODS.map(|method| format!("delivery by {method}"));
    assert_eq!(outcomes(&findings, deliveries.each_ref().map(String::as_str)), ["good"; 3], "{ended:?}");
    assert_eq!(outcomes(&findings, ["Last-Event-ID", "publishing", "headers"]), ["good"; 3], "{ended:?}");
    assert!(findings["headers"]["detail"].as_str().unwrap().contains("added: server: nginx"), "{ended:?}");
}

#[tokio::test]
async fn an_nginx_that_holds_streams_back_is_found() {
    let services = three_services(&[]).await;
    // nginx's defaults before 1.29.7, and a header of the service that counts for nothing.
    let lines = "proxy_http_version 1.0; proxy_buffering on; proxy_ignore_headers X-Accel-Buffering;";
    let nginx = Nginx::start_with(&services, WELL, lines).await.unwrap();
    let ended = doctor(&nginx.url(""), &[]).await;
    assert_eq!(ended.code, Some(5), "{ended:?}");
    let findings = findings(&ended);
    assert_eq!(outcomes(&findings, METHODS), ["good", "bad", "good"], "{ended:?}");
    let stream = &findings["Server-Sent Events"];
    assert!(stream["detail"].as_str().unwrap().contains("holds the stream back"), "{ended:?}");
    assert!(stream["advice"].as_str().unwrap().contains("proxy_buffering off"), "{ended:?}");
    assert!(ended.stderr.contains("not as it should be: Server-Sent Events"), "{ended:?}");
    // A client that follows does not wait for it for ever.
    let mut follower = Running::start(&["sub", "--via", "sse", "--url", &nginx.url("")]);
    follower.said("nothing came by Server-Sent Events").await;
}

#[tokio::test]
async fn headers_that_nginx_loses_are_found() {
    let services = three_services(&[]).await;
    let lines = "proxy_buffering off; proxy_http_version 1.1; proxy_set_header Last-Event-ID ''; \
                 proxy_set_header Idempotency-Key ''; proxy_hide_header Cache-Control;";
    let nginx = Nginx::start(&services, lines).await.unwrap();
    let ended = doctor(&nginx.url(""), &["--publish"]).await;
    assert_eq!(ended.code, Some(5), "{ended:?}");
    let findings = findings(&ended);
    let expected = ["bad", "good", "bad", "bad", "warning"];
    let checks = ["WebSocket", "Server-Sent Events", "Last-Event-ID", "publishing", "headers"];
    assert_eq!(outcomes(&findings, checks), expected, "{ended:?}");
    assert!(findings["WebSocket"]["detail"].as_str().unwrap().contains("without its header Upgrade"), "{ended:?}");
    assert!(findings["WebSocket"]["advice"].as_str().unwrap().contains("proxy_set_header Upgrade"), "{ended:?}");
    assert!(findings["headers"]["detail"].as_str().unwrap().contains("Cache-Control has lost"), "{ended:?}");
    // Without a way for a WebSocket, a client that may choose takes the next method.
    let mut follower = Running::start(&["sub", "--url", &nginx.url("")]);
    follower.said("by Server-Sent Events, from").await;
}

#[tokio::test]
async fn an_nginx_that_gives_up_on_a_poll_is_found() {
    let services = three_services(&[]).await;
    let nginx = Nginx::start(&services, &format!("{WELL} proxy_read_timeout 1s;")).await.unwrap();
    let ended = doctor(&nginx.url(""), &["--hold", "3s"]).await;
    assert_eq!(ended.code, Some(5), "{ended:?}");
    let findings = findings(&ended);
    let poll = &findings["long polling"];
    assert_eq!(poll["outcome"], "bad", "{ended:?}");
    assert!(poll["detail"].as_str().unwrap().contains("504"), "{ended:?}");
    assert!(poll["advice"].as_str().unwrap().contains("proxy_read_timeout 75s"), "{ended:?}");
}

#[tokio::test]
async fn a_closed_service_and_none_at_all_have_codes_of_their_own() {
    let closed = service(Method::Sse, &["--jwt-secret", "0123456789abcdef0123456789abcdef"]).await;
    let ended = doctor(&closed.url(""), &[]).await;
    assert_eq!((ended.code, &findings(&ended)["Server-Sent Events"]["outcome"]), (Some(3), &"bad".into()), "{ended:?}");
    assert!(findings(&ended)["Server-Sent Events"]["advice"].as_str().unwrap().contains("--token"), "{ended:?}");
    let mut away = service(Method::Ws, &[]).await;
    away.stop().await.unwrap();
    let ended = doctor(&away.url(""), &[]).await;
    assert!(ended.code == Some(1) && ended.stderr.contains("cannot be reached"), "{ended:?}");
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_not_waited_for_for_ever() {
    // The system takes connections, and nobody answers.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let ended = push(&["doctor", &url, "--patience", "200ms"]).await;
    assert!(ended.code == Some(1) && ended.stderr.contains("does not answer within 200ms"), "{ended:?}");
}
