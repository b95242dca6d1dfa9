//! A loss is reported, once, and delivery goes on after it.

use testkit::{Follower, Received, client, publish};

use crate::helpers::{Events, Sse, spawn_app};

testkit::behaviours!(Sse:
    gap::a_cursor_older_than_the_history_has_expired,
    gap::a_cursor_of_another_epoch_is_reported,
    gap::a_burst_longer_than_the_history_makes_a_client_lag,
    gap::a_gap_is_reported_to_a_client_that_was_cut_off_before_it,
    gap::a_client_that_reads_too_slowly_gets_its_gap,
);

/// An `EventSource` that is answered 400 gives up for good, and its id may be of another server behind the same URL.
#[tokio::test]
async fn a_last_event_id_that_is_no_cursor_is_answered_by_a_gap() {
    let server = spawn_app(&[]).await;
    let id = publish(&server, "main", "one").await;
    for foreign in
        [&b"42"[..], b"yesterday", "\u{e9}".as_bytes(), b"\xff\xfe", b"urn:uuid:00000000-0000-4000-8000-000000000042"]
    {
        let request = client().get(server.url("/events?since=now")).header("Last-Event-ID", foreign);
        let mut events = Events::follow(request).await;
        let Received::Gap { reason, since, .. } = events.next().await else { panic!("no gap for {foreign:?}") };
        assert_eq!((&*reason, &*since), ("epoch", "0-0"), "{foreign:?}");
        assert_eq!(events.next().await, Received::Message { id: id.clone(), text: "one".into() });
    }
    // As is a client that was cut off before the gap, and comes back with the position that its stream began with.
    let mut events = Events::resume(&server, "/events", "0-0").await;
    assert!(matches!(events.next().await, Received::Gap { reason, .. } if reason == "epoch"));
}
