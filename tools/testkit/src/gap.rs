//! Tests of gaps: a loss is reported, once, and delivery goes on after it.

use crate::huge::{HUGE_ALLOWED, huge};
use crate::publish::{publish, publish_array, publish_each};
use crate::service::{Follower, Received, Service, Streaming};

/// A cursor older than the history has expired.
pub async fn a_cursor_older_than_the_history_has_expired<S: Service>() {
    let server = S::start(&["--history", "3"]).await;
    let ids = publish_each(&server, "main", &["1", "2", "3", "4", "5", "6"]).await;
    let mut follower = S::follow(server.address(), &format!("since={}", ids[0])).await;
    assert_eq!(follower.next().await, Received::gap("expired", &ids[0], &ids[2]));
    assert_eq!(follower.texts(3).await, ["4", "5", "6"]);

    let mut again = S::follow(server.address(), &format!("since={}", ids[2])).await;
    assert_eq!(again.texts(3).await, ["4", "5", "6"], "a gap is reported once");
}

/// A cursor of before a restart, or of the future, belongs to another epoch.
pub async fn a_cursor_of_another_epoch_is_reported<S: Service>() {
    let before = S::start(&[]).await;
    let old = publish(&before, "main", "old").await;
    before.stopped().await;

    let after = S::start(&[]).await;
    let ids = publish_each(&after, "main", &["1", "2"]).await;
    let (epoch, _) = ids[0].split_once('-').expect("a cursor has an epoch");
    for cursor in [old, format!("{epoch}-3")] {
        let mut follower = S::follow(after.address(), &format!("since={cursor}")).await;
        assert_eq!(follower.next().await, Received::gap("epoch", &cursor, &format!("{epoch}-0")));
        assert_eq!(follower.texts(2).await, ["1", "2"]);
    }
}

/// A client that is connected lags behind a burst longer than the history.
pub async fn a_burst_longer_than_the_history_makes_a_client_lag<S: Service>() {
    let server = S::start(&["--history", "2"]).await;
    let mut follower = S::follow(server.address(), "").await;
    let first = publish(&server, "main", "1").await;
    assert_eq!(follower.next().await, Received::message(&first, "1"));
    let ids = publish_array(&server, "main", &["2", "3", "4", "5"]).await;
    assert_eq!(follower.next().await, Received::gap("lagged", &first, &ids[1]));
    assert_eq!(follower.texts(2).await, ["4", "5"]);
    publish(&server, "main", "6").await;
    assert_eq!(follower.texts(1).await, ["6"]);
}

/// A client that is cut off before it received a gap receives it when it comes back.
pub async fn a_gap_is_reported_to_a_client_that_was_cut_off_before_it<S: Service>() {
    let server = S::start(&["--history", "2"]).await;
    let ids = publish_each(&server, "main", &["1", "2", "3", "4"]).await;
    for since in [&ids[0], "abc-7"] {
        let position = S::position(server.address(), "", since).await;
        let mut follower = S::follow(server.address(), &format!("since={position}")).await;
        let received = follower.next().await;
        assert!(matches!(received, Received::Gap { .. }), "since {since}, then {position}: {received:?}");
        assert_eq!(follower.texts(2).await, ["3", "4"]);
    }
}

/// A client that reads too slowly gets the message that was begun, then the gap, then the rest.
pub async fn a_client_that_reads_too_slowly_gets_its_gap<S: Streaming>() {
    let server = S::start(&[&HUGE_ALLOWED[..], &["--history", "2", "--write-timeout", "1m"]].concat()).await;
    let mut client = S::hold(&server).await;
    let begun = publish(&server, "main", huge("x")).await;
    // From now on the service is in the middle of this message, and has to wait.
    client.readable().await;
    let ids = publish_each(&server, "main", &["2", "3", "4", "5"]).await;

    let whole = S::read(&mut client).await;
    assert!(whole == Received::message(&begun, &huge("x")), "the message that was begun is not whole");
    assert_eq!(S::read(&mut client).await, Received::gap("lagged", &begun, &ids[1]));
    assert_eq!(S::read(&mut client).await, Received::message(&ids[2], "4"));
    assert_eq!(S::read(&mut client).await, Received::message(&ids[3], "5"));
}
