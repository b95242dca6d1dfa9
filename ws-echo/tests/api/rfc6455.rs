//! The examples of RFC 6455 that go over a connection, byte by byte.

use testkit::{RawClient, Server};

use crate::helpers::spawn_app;

/// The request of section 1.2, but for its path.
const HANDSHAKE: &str = "GET / HTTP/1.1\r\n\
    Host: server.example.com\r\n\
    Upgrade: websocket\r\n\
    Connection: Upgrade\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Origin: http://example.com\r\n\
    Sec-WebSocket-Protocol: chat, superchat\r\n\
    Sec-WebSocket-Version: 13\r\n\
    \r\n";

/// Sends a request, and returns the head of its answer with the names of its headers in lower case.
async fn head_of(server: &Server, request: &str) -> (RawClient, Vec<String>) {
    let mut client = RawClient::connect(server.address()).await;
    client.send(request).await;
    let head = client.read_until("\r\n\r\n").await;
    let lines = head.trim_end().lines().map(|line| match line.split_once(": ") {
        Some((name, value)) => format!("{}: {value}", name.to_ascii_lowercase()),
        None => line.to_owned(),
    });
    (client, lines.collect())
}

/// Sections 1.2, 1.3 and 4.2.2. No subprotocol is agreed on, so none is named.
#[tokio::test]
async fn the_handshake_of_the_example_has_the_key_of_the_example() {
    let server = spawn_app(&[]).await;
    let (_client, head) = head_of(&server, HANDSHAKE).await;
    assert!(head[0].starts_with("HTTP/1.1 101 "), "{head:?}");
    for line in ["upgrade: websocket", "connection: Upgrade", "sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo="] {
        assert!(head.iter().any(|given| given.eq_ignore_ascii_case(line)), "{line} in {head:?}");
    }
    for absent in ["sec-websocket-protocol:", "sec-websocket-extensions:", "content-length:", "transfer-encoding:"] {
        assert!(!head.iter().any(|given| given.starts_with(absent)), "{absent} in {head:?}");
    }
}

/// Section 4.4: the answer to a version that the service does not know has the one that it knows.
#[tokio::test]
async fn a_version_of_the_example_that_is_not_known_is_answered_with_the_one_that_is() {
    let server = spawn_app(&[]).await;
    let request = HANDSHAKE.replace("Sec-WebSocket-Version: 13", "Sec-WebSocket-Version: 25");
    let (_client, head) = head_of(&server, &request).await;
    assert!(head[0].starts_with("HTTP/1.1 426 "), "{head:?}");
    assert!(head.contains(&"sec-websocket-version: 13".to_owned()), "{head:?}");
}

/// Section 5.7: the masked example is answered with the unmasked one, and the ping with the pong of the same payload.
#[tokio::test]
async fn the_frames_of_the_examples_are_echoed() {
    let server = spawn_app(&["--reply-prefix", ""]).await;
    let (mut client, _) = head_of(&server, HANDSHAKE).await;
    client.send([0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58]).await;
    assert_eq!(client.read_exact(7).await, [0x81, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f]);
    client.send([0x89, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58]).await;
    assert_eq!(client.read_exact(7).await, [0x8a, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f]);
}
