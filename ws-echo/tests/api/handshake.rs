//! Requests for a WebSocket that cannot be had: each is refused with its reason, in JSON.

use reqwest::Client;
use testkit::{RawClient, assert_refused, soon};

use crate::helpers::{Feed, spawn_app};
use crate::raw::handshake;

testkit::behaviours!(Feed:
    refusal::topics_that_are_no_topics_are_refused,
    refusal::cursors_that_are_no_cursors_are_refused,
);

#[tokio::test]
async fn the_feed_without_an_upgrade_names_the_one_it_needs() {
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
async fn a_websocket_elsewhere_is_refused() {
    let server = spawn_app(&[]).await;
    for (path, status) in [("/messages", 400), ("/nowhere", 404)] {
        let mut client = RawClient::connect(server.address()).await;
        client.send(handshake(path)).await;
        assert!(client.read_until("\r\n\r\n").await.starts_with(&format!("HTTP/1.1 {status} ")), "{path}");
    }
}
