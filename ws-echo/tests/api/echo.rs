//! `GET /`, upgraded: every message comes back.

use testkit::{RawClient, client, soon};
use tokio_tungstenite::tungstenite::Message;

use crate::helpers::{Ws, spawn_app};
use crate::raw::{BINARY, FIN, PING, PONG, TEXT, frame, handshake, open, read_frame};

#[tokio::test]
async fn a_text_comes_back_after_the_usual_prefix() {
    let server = spawn_app(&[]).await;
    let mut ws = Ws::open(&server, "/").await;
    for (text, reply) in
        [("你好，服务器！", "服务器回应：你好，服务器！"), ("", "服务器回应："), ("a\nb\0", "服务器回应：a\nb\0")]
    {
        ws.send(text).await;
        assert_eq!(ws.message().await, Message::from(reply));
    }
}

#[tokio::test]
async fn a_binary_message_comes_back_unchanged() {
    let server = spawn_app(&[]).await;
    let mut ws = Ws::open(&server, "/").await;
    for bytes in [vec![], vec![0, 255, 0xfe], (0..=255).cycle().take(64 << 10).collect()] {
        ws.send(Message::binary(bytes.clone())).await;
        assert_eq!(ws.message().await, Message::binary(bytes));
    }
}

#[tokio::test]
async fn the_prefix_can_be_changed_and_left_out() {
    for prefix in ["", "you said: "] {
        let server = spawn_app(&["--reply-prefix", prefix]).await;
        let mut ws = Ws::open(&server, "/").await;
        ws.send("hello").await;
        assert_eq!(ws.message().await, Message::from(format!("{prefix}hello")));
    }
}

#[tokio::test]
async fn every_client_gets_the_echo_of_its_own_messages() {
    let server = spawn_app(&[]).await;
    let (mut one, mut two) = (Ws::open(&server, "/").await, Ws::open(&server, "/").await);
    one.send("1").await;
    two.send("2").await;
    one.send("3").await;
    assert_eq!(one.message().await, Message::from("服务器回应：1"));
    assert_eq!(one.message().await, Message::from("服务器回应：3"));
    assert_eq!(two.message().await, Message::from("服务器回应：2"));
}

#[tokio::test]
async fn a_browser_that_does_not_upgrade_gets_the_page() {
    let server = spawn_app(&[]).await;
    let response = soon(client().get(server.url("/")).send()).await.unwrap();
    assert_eq!(response.status(), 200);
    assert!(response.headers()["content-type"].to_str().unwrap().starts_with("text/html"));
    assert!(soon(response.text()).await.unwrap().contains("<html"));
}

#[tokio::test]
async fn a_ping_is_answered_with_its_payload() {
    let server = spawn_app(&[]).await;
    let mut ws = Ws::open(&server, "/").await;
    ws.send(Message::Ping("are you there?".into())).await;
    assert_eq!(ws.any().await, Message::Pong("are you there?".into()));
}

#[tokio::test]
async fn a_message_in_fragments_is_put_together_and_a_ping_between_them_answered() {
    let server = spawn_app(&["--reply-prefix", ""]).await;
    let mut client = open(server.address(), "/").await;
    // The cut is within a character.
    let text = "你好".as_bytes();
    client.send(frame(TEXT, &text[..2])).await;
    client.send(frame(FIN | PING, b"still there?")).await;
    assert_eq!(read_frame(&mut client).await, (FIN | PONG, b"still there?".to_vec()));
    client.send(frame(0, b"")).await;
    client.send(frame(FIN, &text[2..])).await;
    assert_eq!(read_frame(&mut client).await, (FIN | TEXT, text.to_vec()));
}

#[tokio::test]
async fn frames_may_arrive_in_any_pieces_and_with_the_handshake() {
    let server = spawn_app(&["--reply-prefix", ""]).await;
    let mut client = RawClient::connect(server.address()).await;
    let mut bytes = handshake("/").into_bytes();
    bytes.extend(frame(FIN | TEXT, b"early"));
    bytes.extend(frame(FIN | BINARY, &[7; 300]));
    let late = frame(FIN | TEXT, b"late");
    bytes.extend(&late[..3]);
    client.send(&bytes).await;
    client.read_until("\r\n\r\n").await;
    assert_eq!(read_frame(&mut client).await, (FIN | TEXT, b"early".to_vec()));
    assert_eq!(read_frame(&mut client).await, (FIN | BINARY, vec![7; 300]));
    for byte in &late[3..] {
        client.send([*byte]).await;
    }
    assert_eq!(read_frame(&mut client).await, (FIN | TEXT, b"late".to_vec()));
}
