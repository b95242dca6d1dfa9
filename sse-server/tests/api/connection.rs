//! Clients that go, stall or read slowly.

use crate::helpers::{HUGE, HUGE_ALLOWED, open_raw, publish, spawn_app};

#[tokio::test]
async fn a_client_that_takes_nothing_is_cut_off_while_others_go_on() {
    let server = spawn_app(&[&HUGE_ALLOWED[..], &["--write-timeout", "2s"]].concat()).await;
    let (mut stalled, _) = open_raw(&server, "/events").await;
    let (mut reader, _) = open_raw(&server, "/events").await;
    publish(&server, "main", "x".repeat(HUGE)).await;
    let meanwhile = publish(&server, "main", "meanwhile").await;
    reader.read_until(&format!("id: {meanwhile}\ndata: meanwhile\n\n")).await;

    stalled.cut_off().await;
    assert!(stalled.read_to_end().await.len() < HUGE, "it was cut off with the rest unsent");
    let after = publish(&server, "main", "after").await;
    assert_eq!(reader.read_until("\n\n").await, format!("id: {after}\ndata: after\n\n"));
}

#[tokio::test]
async fn a_client_that_is_slow_and_reads_on_gets_everything() {
    let server = spawn_app(&[&HUGE_ALLOWED[..], &["--write-timeout", "1m"]].concat()).await;
    let (mut client, _) = open_raw(&server, "/events").await;
    let mut ids = Vec::new();
    for text in ["x".repeat(HUGE), "y".repeat(HUGE), "z".to_owned()] {
        ids.push(publish(&server, "main", text).await);
    }
    for (id, length) in ids.iter().zip([HUGE, HUGE, 1]) {
        let block = client.read_until("\n\n").await;
        assert!(block.starts_with(&format!("id: {id}\ndata: ")), "{:?}", &block[..40.min(block.len())]);
        assert_eq!(block.len(), format!("id: {id}\ndata: \n\n").len() + length);
    }
}
