//! Requests for a WebSocket that is not to be had: each is told why, in JSON.

use reqwest::{Client, Response};
use serde_json::Value;
use testkit::{RawClient, soon};

use crate::helpers::spawn_app;
use crate::raw::handshake;

async fn assert_refused(response: Response, status: u16, error: &str) {
    assert_eq!(response.headers()["content-type"], "application/json");
    let got = response.status().as_u16();
    let body: Value = soon(response.json()).await.unwrap();
    assert_eq!((got, body["error"].as_str().unwrap_or_default()), (status, error), "{body}");
    assert!(body["message"].as_str().is_some_and(|message| !message.is_empty()), "{body}");
}

#[tokio::test]
async fn the_feed_without_an_upgrade_says_what_it_speaks() {
    let server = spawn_app(&[]).await;
    let response = soon(Client::new().get(server.url("/feed")).send()).await.unwrap();
    let header = |name: &str| response.headers()[name].to_str().unwrap().to_ascii_lowercase();
    assert_eq!((header("upgrade"), header("connection")), ("websocket".into(), "upgrade".into()));
    assert_eq!(header("sec-websocket-version"), "13");
    assert_refused(response, 426, "upgrade_required").await;
}

#[tokio::test]
async fn a_handshake_that_is_broken_is_refused() {
    let server = spawn_app(&[]).await;
    for path in ["/", "/feed"] {
        for (whole, broken, status) in [
            ("sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n", "", 400),
            ("sec-websocket-version: 13", "sec-websocket-version: 8", 426),
            ("sec-websocket-version: 13\r\n", "", 426),
            ("connection: Upgrade", "connection: keep-alive", 400),
            ("GET ", "POST ", 405),
        ] {
            let request = handshake(path).replace(whole, broken);
            let mut client = RawClient::connect(server.address()).await;
            client.send(&request).await;
            let head = client.read_until("\r\n\r\n").await;
            assert_eq!(head[9..12].parse(), Ok(status), "{request} {head}");
            assert!(head.contains("content-type: application/json"), "{head}");
            if status == 426 {
                assert!(head.contains("sec-websocket-version: 13\r\n"), "{head}");
            }
            client.read_until("\"message\":").await;
        }
    }
}

#[tokio::test]
async fn http_1_0_is_too_old_for_a_handshake() {
    // RFC 6455, section 4.2.1.
    let server = spawn_app(&[]).await;
    for path in ["/", "/feed"] {
        let mut client = RawClient::connect(server.address()).await;
        client.send(handshake(path).replace("HTTP/1.1", "HTTP/1.0")).await;
        let head = client.read_until("\r\n\r\n").await;
        assert_eq!(&head[9..10], "4", "{head}");
    }
}

#[tokio::test]
async fn a_feed_of_what_is_no_topic_or_cursor_is_refused() {
    let server = spawn_app(&[]).await;
    let too_many: Vec<String> = (0..65).map(|n| format!("topic=t{n}")).collect();
    for (query, error) in [
        ("topic=", "bad_topic"),
        ("topic=a..b", "bad_topic"),
        ("topic=main&topic=a.%3E.b", "bad_topic"),
        (&too_many.join("&"), "bad_parameter"),
        ("since=", "bad_cursor"),
        ("since=yesterday", "bad_cursor"),
        ("since=42", "bad_cursor"),
    ] {
        let request = Client::new()
            .get(server.url(&format!("/feed?{query}")))
            .header("Connection", "Upgrade")
            .header("Upgrade", "websocket")
            .header("Sec-WebSocket-Version", "13")
            .header("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==");
        assert_refused(soon(request.send()).await.unwrap(), 400, error).await;
    }
}

#[tokio::test]
async fn a_websocket_elsewhere_is_refused() {
    let server = spawn_app(&[]).await;
    for (path, status) in [("/messages", 400), ("/nowhere", 404)] {
        let mut client = RawClient::connect(server.address()).await;
        client.send(handshake(path)).await;
        assert!(client.read_until("\r\n\r\n").await.starts_with(&format!("HTTP/1.1 {status} ")), "{path}");
    }
}
