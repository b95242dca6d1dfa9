//! Requests for a WebSocket that cannot be had: each is refused with its reason, in JSON.

use testkit::{RawClient, assert_refused, client, soon};

use crate::helpers::{Feed, spawn_app};
use crate::raw::handshake;

testkit::behaviours!(Feed:
    refusal::topics_that_are_no_topics_are_refused,
    refusal::cursors_that_are_no_cursors_are_refused,
);

#[tokio::test]
async fn the_feed_without_an_upgrade_names_the_one_it_needs() {
    let server = spawn_app(&[]).await;
    let response = soon(client().get(server.url("/feed")).send()).await.unwrap();
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

/// RFC 9110, section 5.6.1: lists, over several lines if need be, with tabs and empty members. Proxies split them so.
#[tokio::test]
async fn connection_and_upgrade_are_lists() {
    let server = spawn_app(&[]).await;
    for path in ["/", "/feed"] {
        for (line, lines) in [
            ("connection: Upgrade", "connection: keep-alive\r\nconnection: Upgrade"),
            ("connection: Upgrade", "connection: Upgrade\r\nconnection: keep-alive"),
            ("connection: Upgrade", "connection: keep-alive,\tUPGRADE\t"),
            ("connection: Upgrade", "connection: ,, keep-alive,upgrade,"),
            ("upgrade: websocket", "upgrade: websocket, h2c"),
            ("upgrade: websocket", "upgrade: h2c,\tWebSocket"),
            ("upgrade: websocket", "upgrade: h2c\r\nupgrade: websocket"),
        ] {
            let request = handshake(path).replace(line, lines);
            let mut client = RawClient::connect(server.address()).await;
            client.send(&request).await;
            let head = client.read_until("\r\n\r\n").await;
            assert!(head.starts_with("HTTP/1.1 101 "), "{request} {head}");
        }
    }
}

/// RFC 6455, section 11.3: neither may appear twice, and what a server and a proxy make of two may differ.
#[tokio::test]
async fn a_key_or_a_version_that_is_given_twice_is_refused() {
    let server = spawn_app(&[]).await;
    let key = "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    let version = "sec-websocket-version: 13\r\n";
    for path in ["/", "/feed"] {
        for line in [key, version] {
            let mut client = RawClient::connect(server.address()).await;
            client.send(handshake(path).replace(line, &line.repeat(2))).await;
            assert!(client.read_until("\r\n\r\n").await.starts_with("HTTP/1.1 400 "), "{line}");
            let body = client.read_until("}").await;
            assert!(
                body.contains("\"bad_handshake\"") && body.contains("use a WebSocket client, version 13"),
                "{body}"
            );
        }
    }
}

#[tokio::test]
async fn a_parameter_that_is_unknown_or_given_twice_is_refused() {
    let server = spawn_app(&[]).await;
    for (query, error) in [("topics=a", "unknown_parameter"), ("since=now&since=now", "bad_parameter")] {
        let mut client = RawClient::connect(server.address()).await;
        client.send(handshake(&format!("/feed?{query}"))).await;
        assert!(client.read_until("\r\n\r\n").await.starts_with("HTTP/1.1 400 "), "{query}");
        assert!(client.read_until("}").await.contains(&format!("\"{error}\"")), "{query}");
    }
    for path in ["/feed?topic=a&_=1", "/?token=1"] {
        let mut client = RawClient::connect(server.address()).await;
        client.send(handshake(path)).await;
        assert!(client.read_until("\r\n\r\n").await.starts_with("HTTP/1.1 101 "), "{path}");
    }
}

/// A WebSocket begins with `GET`, so `HEAD` is answered as a `GET` that asks for no upgrade.
#[tokio::test]
async fn head_is_answered_as_without_an_upgrade() {
    let server = spawn_app(&[]).await;
    for (path, status) in [("/", 200), ("/feed", 426)] {
        let request = handshake(path).replace("GET ", "HEAD ");
        let without = format!("HEAD {path} HTTP/1.1\r\nhost: test\r\n\r\n");
        for request in [request, without] {
            let mut client = RawClient::connect(server.address()).await;
            client.send(&request).await;
            let head = client.read_until("\r\n\r\n").await;
            assert_eq!(head[9..12].parse(), Ok(status), "{request} {head}");
        }
    }
}
