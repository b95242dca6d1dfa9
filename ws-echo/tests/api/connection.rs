//! Clients that stall or read slowly.

use testkit::RawClient;

use crate::helpers::{HUGE, HUGE_ALLOWED, Ws, publish, spawn_app};
use crate::raw::{BINARY, FIN, frame, open, read_frame};

#[tokio::test]
async fn a_client_that_takes_nothing_is_cut_off_while_others_go_on() {
    let server = spawn_app(&[&HUGE_ALLOWED[..], &["--write-timeout", "2s"]].concat()).await;
    let mut stalled = open(server.address(), "/feed").await;
    let (mut reader, _) = Ws::feed(&server, "/feed").await;
    publish(&server, "main", "x".repeat(HUGE)).await;
    assert_eq!(reader.texts(1).await[0].len(), HUGE);
    publish(&server, "main", "meanwhile").await;
    assert_eq!(reader.texts(1).await, ["meanwhile"]);

    stalled.cut_off().await;
    assert!(stalled.read_to_end().await.len() < HUGE, "it was cut off with the rest unsent");
    publish(&server, "main", "after").await;
    assert_eq!(reader.texts(1).await, ["after"]);
}

#[tokio::test]
async fn a_client_that_takes_no_echo_is_cut_off() {
    let server = spawn_app(&[&HUGE_ALLOWED[..], &["--write-timeout", "1s"]].concat()).await;
    let mut stalled: RawClient = open(server.address(), "/").await;
    stalled.send(frame(FIN | BINARY, &vec![7; HUGE])).await;
    stalled.cut_off().await;
    assert!(stalled.read_to_end().await.len() < HUGE, "it was cut off with the rest unsent");
}

#[tokio::test]
async fn a_client_that_is_slow_and_reads_on_gets_everything() {
    let server = spawn_app(&[&HUGE_ALLOWED[..], &["--write-timeout", "1m"]].concat()).await;
    let mut client = open(server.address(), "/feed").await;
    let mut ids = Vec::new();
    for text in ["x".repeat(HUGE), "y".repeat(HUGE), "z".to_owned()] {
        ids.push(publish(&server, "main", text).await);
    }
    read_frame(&mut client).await;
    for (id, length) in ids.iter().zip([HUGE, HUGE, 1]) {
        let message: serde_json::Value = serde_json::from_slice(&read_frame(&mut client).await.1).unwrap();
        assert_eq!((message["id"].as_str(), message["text"].as_str().unwrap().len()), (Some(&id[..]), length));
    }
}
