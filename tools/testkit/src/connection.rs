//! Tests of connections whose clients stall or read slowly.

use std::time::Duration;

use crate::huge::{HUGE, HUGE_ALLOWED, huge};
use crate::publish::publish;
use crate::service::{Received, Streaming};

/// A client that takes nothing is cut off after the write time-out, and the others go on meanwhile.
pub async fn a_client_that_takes_nothing_is_cut_off_while_others_go_on<S: Streaming>() {
    let server = S::start(&[&HUGE_ALLOWED[..], &["--write-timeout", "2s"]].concat()).await;
    let mut stalled = S::hold(&server).await;
    let mut reader = S::hold(&server).await;
    publish(&server, "main", huge("x")).await;
    let meanwhile = publish(&server, "main", "meanwhile").await;
    assert_eq!(length(&S::read(&mut reader).await), HUGE);
    assert_eq!(S::read(&mut reader).await, Received::message(&meanwhile, "meanwhile"));

    stalled.cut_off().await;
    assert!(stalled.read_to_end().await.len() < HUGE, "it was cut off with the rest unsent");
    let after = publish(&server, "main", "after").await;
    assert_eq!(S::read(&mut reader).await, Received::message(&after, "after"));
}

/// A client that is slow and reads on gets everything.
pub async fn a_client_that_is_slow_and_reads_on_gets_everything<S: Streaming>() {
    let server = S::start(&[&HUGE_ALLOWED[..], &["--write-timeout", "1m"]].concat()).await;
    let mut client = S::hold(&server).await;
    let mut published = Vec::new();
    for text in [huge("x"), huge("y"), "z".to_owned()] {
        let id = publish(&server, "main", text.clone()).await;
        published.push(Received::Message { id, text });
    }
    for message in published {
        // Not compared by `assert_eq`, which would print the texts.
        assert!(S::read(&mut client).await == message, "a message is not as it was published");
    }
}

/// A client that takes a little all the while is not cut off, though the system's buffers stay full.
pub async fn a_client_that_takes_a_little_all_the_while_is_not_cut_off<S: Streaming>() {
    let server = S::start(&[&HUGE_ALLOWED[..], &["--write-timeout", "1s"]].concat()).await;
    let mut client = S::hold(&server).await;
    let text = huge("x");
    let id = publish(&server, "main", text.clone()).await;
    client.read_slowly(1_600_000, 400, Duration::from_secs(4)).await;
    assert!(S::read(&mut client).await == Received::Message { id, text }, "the message is not as it was published");
}

/// The length of a message's text.
pub(crate) fn length(received: &Received) -> usize {
    match received {
        Received::Message { text, .. } => text.len(),
        gap @ Received::Gap { .. } => panic!("{gap:?}"),
    }
}
