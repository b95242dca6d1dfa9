//! Every way to close, and its code.

use std::time::{Duration, Instant};

use testkit::{RawClient, Server, get};
use tokio_tungstenite::tungstenite::protocol::CloseFrame;

use crate::helpers::{Ws, spawn_app};
use crate::raw::{BINARY, CLOSE, FIN, PING, TEXT, frame, open, read_close, read_frame};

#[tokio::test]
async fn a_client_that_closes_is_sent_its_own_code_back() {
    let server = spawn_app(&[]).await;
    for path in ["/", "/feed?topic=quiet"] {
        for code in [1000_u16, 1001, 1012, 3000, 4999] {
            let mut ws = Ws::open(&server, path).await;
            if path != "/" {
                ws.json().await;
            }
            ws.0.close(Some(CloseFrame { code: code.into(), reason: "bye".into() })).await.unwrap();
            assert_eq!(ws.close_code().await, code);
        }
        let mut client = open(server.address(), path).await;
        if path != "/" {
            read_frame(&mut client).await;
        }
        client.send(frame(FIN | CLOSE, b"")).await;
        assert_eq!(read_frame(&mut client).await, (FIN | CLOSE, vec![]), "without a code");
        assert_eq!(client.read_to_end().await, "");
        // Newer than the client's library.
        assert_eq!(code_after(&server, path, &[frame(FIN | CLOSE, &1014_u16.to_be_bytes())]).await, 1014);
    }
}

#[tokio::test]
async fn a_message_that_has_begun_and_does_not_become_whole_is_closed_with_1008() {
    let server = spawn_app(&["--read-timeout", "300ms"]).await;
    let fragments = [frame(TEXT, b"a"), frame(FIN | PING, b"")].concat();
    for path in ["/", "/feed"] {
        for begun in [&[FIN | TEXT][..], &frame(FIN | TEXT, &[b'x'; 1000])[..900], &fragments] {
            let began = Instant::now();
            let mut client = open(server.address(), path).await;
            // A client between two messages may wait for as long as it likes.
            client.send(frame(FIN | BINARY, b"whole")).await;
            client.send(begun).await;
            let (code, _) = read_close(&mut client).await;
            assert_eq!(code, 1008, "{path}");
            assert!(began.elapsed() >= Duration::from_millis(300));
            assert_eq!(client.read_to_end().await, "");
        }
    }
}

#[tokio::test]
async fn a_message_that_comes_byte_by_byte_without_end_is_closed_with_1008() {
    let server = spawn_app(&["--read-timeout", "300ms"]).await;
    let mut client = open(server.address(), "/").await;
    client.send(&frame(FIN | TEXT, &[b'x'; 60_000])[..10]).await;
    // The close frame comes while the client still sends.
    client.cut_off().await;
    let server = spawn_app(&["--read-timeout", "1h"]).await;
    let mut client = open(server.address(), "/").await;
    let message = frame(FIN | BINARY, b"slow");
    for byte in message.chunks(1) {
        client.send(byte).await;
    }
    assert_eq!(read_frame(&mut client).await, (FIN | BINARY, b"slow".to_vec()));
}

#[tokio::test]
async fn a_large_message_for_which_there_is_no_memory_is_closed_with_1013() {
    let server = spawn_app(&["--body-budget", "100000", "--max-body-bytes", "100000", "--read-timeout", "1h"]).await;
    let begin = async |bytes: usize| {
        let mut client = open(server.address(), "/").await;
        client.send(frame(BINARY, &vec![b'x'; bytes])).await;
        client.send(frame(FIN | PING, b"read")).await;
        client
    };
    let mut first = begin(50_000).await;
    assert_eq!(read_frame(&mut first).await.1, b"read", "its memory is taken");
    assert_eq!(read_close(&mut begin(30_000).await).await.0, 1013);
    let mut small = begin(3_000).await;
    assert_eq!(read_frame(&mut small).await.1, b"read", "a small message finds room");
    // Those whose memory is reserved keep it, whoever else has come.
    for fragment in [frame(FIN | PING, b""), frame(0, b"more"), frame(FIN | PING, b"")] {
        first.send(fragment).await;
    }
    first.send(frame(FIN, b"end")).await;
    for pong in [b"", b""] {
        assert_eq!(read_frame(&mut first).await.1, pong);
    }
    assert_eq!(read_frame(&mut first).await.1.len(), 50_007);
}

/// Sends bytes on a WebSocket and returns the code that it is closed with.
async fn code_after(server: &Server, path: &str, frames: &[Vec<u8>]) -> u16 {
    let mut client = open(server.address(), path).await;
    for frame in frames {
        client.try_send(frame).await;
    }
    let (code, _) = read_close(&mut client).await;
    assert_eq!(client.read_to_end().await, "");
    code
}

#[tokio::test]
async fn what_is_not_the_protocol_is_closed_with_1002() {
    let server = spawn_app(&[]).await;
    let unmasked = vec![FIN | TEXT, 2, b'h', b'i'];
    for path in ["/", "/feed"] {
        for (what, frames) in [
            ("an unmasked frame", vec![unmasked.clone()]),
            ("a reserved bit", vec![frame(FIN | TEXT | 0x40, b"hi")]),
            ("a reserved opcode", vec![frame(FIN | 0x3, b"hi")]),
            ("a reserved control opcode", vec![frame(FIN | 0xB, b"hi")]),
            ("a control frame in fragments", vec![frame(PING, b"hi")]),
            ("a control frame that is too long", vec![frame(FIN | PING, &[b'x'; 126])]),
            ("a continuation of nothing", vec![frame(FIN, b"hi")]),
            ("a new message within another", vec![frame(TEXT, b"hi"), frame(FIN | TEXT, b"hi")]),
            ("half a close code", vec![frame(FIN | CLOSE, &[3])]),
            ("a close code that nobody may send", vec![frame(FIN | CLOSE, &1005_u16.to_be_bytes())]),
        ] {
            assert_eq!(code_after(&server, path, &frames).await, 1002, "{what} on {path}");
        }
    }
}

#[tokio::test]
async fn a_text_that_is_not_utf_8_is_closed_with_1007() {
    let server = spawn_app(&[]).await;
    for path in ["/", "/feed"] {
        assert_eq!(code_after(&server, path, &[frame(FIN | TEXT, b"\xff\xfe")]).await, 1007);
        assert_eq!(code_after(&server, path, &[frame(TEXT, b"\xe4\xbd"), frame(FIN, b"a")]).await, 1007);
        assert_eq!(code_after(&server, path, &[frame(FIN | TEXT, b"\xe4\xbd")]).await, 1007, "cut off in a character");
    }
}

#[tokio::test]
async fn a_message_that_is_too_large_is_closed_with_1009() {
    let server = spawn_app(&["--reply-prefix", ""]).await;
    let most = 64 << 10;
    let mut client = open(server.address(), "/").await;
    for opcode in [TEXT, BINARY] {
        client.send(frame(FIN | opcode, &vec![b'x'; most])).await;
        assert_eq!(read_frame(&mut client).await, (FIN | opcode, vec![b'x'; most]), "just not too large");
    }
    assert_eq!(code_after(&server, "/", &[frame(FIN | BINARY, &vec![b'x'; most + 1])]).await, 1009);
    let halves = [frame(TEXT, &vec![b'x'; most]), frame(FIN, b"x")];
    assert_eq!(code_after(&server, "/", &halves).await, 1009);
    assert_eq!(code_after(&server, "/feed", &[frame(FIN | TEXT, &vec![b'x'; 1 << 20])]).await, 1009);

    let server = spawn_app(&["--max-message-bytes", "10"]).await;
    assert_eq!(code_after(&server, "/", &[frame(FIN | TEXT, &[b'x'; 11])]).await, 1009);
}

#[tokio::test]
async fn a_client_beyond_the_most_connections_is_closed_with_1013() {
    let server = spawn_app(&["--max-connections", "1"]).await;
    let mut first = Ws::open(&server, "/").await;
    for path in ["/", "/feed"] {
        assert_eq!(Ws::open(&server, path).await.close_code().await, 1013, "a page can read a code, and no status");
    }
    assert!(get(server.address(), "/messages").await.starts_with("HTTP/1.1 503 "));
    assert!(get(server.address(), "/readyz").await.starts_with("HTTP/1.1 200 "), "the process is well");

    first.0.close(None).await.unwrap();
    first.closed().await;
    while !get(server.address(), "/messages").await.starts_with("HTTP/1.1 200 ") {}
}

#[tokio::test]
async fn a_client_that_just_goes_does_no_harm() {
    let server = spawn_app(&[]).await;
    for path in ["/", "/feed"] {
        drop::<RawClient>(open(server.address(), path).await);
        let mut half = open(server.address(), path).await;
        half.send(&frame(FIN | TEXT, b"hello")[..5]).await;
        half.finish().await;
        half.read_to_end().await;
    }
    let mut ws = Ws::open(&server, "/").await;
    ws.send("x").await;
    ws.message().await;
}
