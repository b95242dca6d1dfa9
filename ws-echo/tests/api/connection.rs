//! Clients that stall or read slowly.

use testkit::{HUGE, HUGE_ALLOWED, RawClient};

use crate::helpers::{Feed, spawn_app};
use crate::raw::{BINARY, FIN, frame, open};

testkit::behaviours!(Feed:
    connection::a_client_that_takes_nothing_is_cut_off_while_others_go_on,
    connection::a_client_that_is_slow_and_reads_on_gets_everything,
    connection::a_client_that_takes_a_little_all_the_while_is_not_cut_off,
);

#[tokio::test]
async fn a_client_that_takes_no_echo_is_cut_off() {
    let server = spawn_app(&[&HUGE_ALLOWED[..], &["--write-timeout", "1s"]].concat()).await;
    let mut stalled: RawClient = open(server.address(), "/").await;
    stalled.send(frame(FIN | BINARY, &vec![7; HUGE])).await;
    stalled.cut_off().await;
    assert!(stalled.read_to_end().await.len() < HUGE, "it was cut off with the rest unsent");
}
