//! A WebSocket client that sends what no library would.

use std::net::SocketAddr;

use testkit::{RawClient, soon};

pub(crate) const TEXT: u8 = 0x1;
pub(crate) const BINARY: u8 = 0x2;
pub(crate) const CLOSE: u8 = 0x8;
pub(crate) const PING: u8 = 0x9;
pub(crate) const PONG: u8 = 0xA;
/// The last frame of a message.
pub(crate) const FIN: u8 = 0x80;
const MASKED: u8 = 0x80;

/// A handshake that is well-formed but for what is replaced in it.
pub(crate) fn handshake(path: &str) -> String {
    format!(
        "GET {path} HTTP/1.1\r\nhost: test\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\
         sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
}

/// Opens a WebSocket, up to the end of the handshake.
pub(crate) async fn open(address: SocketAddr, path: &str) -> RawClient {
    let mut client = RawClient::connect(address).await;
    client.send(handshake(path)).await;
    let head = client.read_until("\r\n\r\n").await;
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    // The example of RFC 6455, section 1.3.
    assert!(head.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), "{head}");
    client
}

/// A frame as a client sends it, masked. `first` is the opcode and the flags beside it.
pub(crate) fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mask = [0x37, 0xfa, 0x21, 0x3d];
    let mut frame = vec![first];
    match payload.len() {
        length @ 0..126 => frame.push(MASKED | length as u8),
        length @ 126..0x1_0000 => {
            frame.push(MASKED | 126);
            frame.extend_from_slice(&(length as u16).to_be_bytes());
        }
        length => {
            frame.push(MASKED | 127);
            frame.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    frame.extend_from_slice(&mask);
    frame.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    frame
}

/// Reads a frame: its first byte and its payload.
pub(crate) async fn read_frame(client: &mut RawClient) -> (u8, Vec<u8>) {
    let head = client.read_exact(2).await;
    assert_eq!(head[1] & MASKED, 0, "a server does not mask");
    let length = match head[1] {
        126 => client.read_exact(2).await,
        127 => client.read_exact(8).await,
        length => vec![length],
    };
    let length = length.iter().fold(0, |length, byte| length << 8 | usize::from(*byte));
    (head[0], client.read_exact(length).await)
}

/// Reads up to a close frame, and returns its code and what came before it.
pub(crate) async fn read_close(client: &mut RawClient) -> (u16, Vec<(u8, Vec<u8>)>) {
    let mut before = Vec::new();
    let closed = async {
        loop {
            let (first, payload) = read_frame(client).await;
            if first == FIN | CLOSE {
                return u16::from_be_bytes([payload[0], payload[1]]);
            }
            before.push((first, payload));
        }
    };
    (soon(closed).await, before)
}
