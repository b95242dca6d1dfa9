//! Clients that stall or read slowly.

use testkit::{RawClient, Service, Signal, publish_at, signal};

use crate::helpers::{Sse, open_raw};

testkit::behaviours!(Sse:
    connection::a_client_that_takes_nothing_is_cut_off_while_others_go_on,
    connection::a_client_that_is_slow_and_reads_on_gets_everything,
    connection::a_client_that_takes_a_little_all_the_while_is_not_cut_off,
);

/// The bytes that were handed to the system still arrive when the process has ended.
#[tokio::test]
async fn few_bytes_are_handed_to_the_system_for_a_client_that_reads_nothing() {
    let (process, address) = Sse::PROGRAM.start(&["--drain", "0", "--max-unsent-bytes", "64KiB"]).await;
    for _ in 0..128 {
        publish_at(address, "main", "x".repeat(60_000)).await;
    }
    let mut unread: Vec<RawClient> = Vec::new();
    for _ in 0..3 {
        unread.push(open_raw(address, "/events?since=earliest").await.0);
    }
    // A client that reads everything: the others have had their time.
    let (mut reader, _) = open_raw(address, "/events?since=earliest").await;
    reader.read_exact(128 * 60_000).await;
    signal(&process, Signal::SIGTERM);
    process.ended().await;
    for mut client in unread {
        let handed = client.read_to_end().await.len();
        assert!(handed < 512 * 1024, "{handed} bytes");
    }
}
