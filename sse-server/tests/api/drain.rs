//! The end: everything accepted is delivered, every client is released.

use testkit::{HUGE_ALLOWED, begin_stop, huge, publish};

use crate::helpers::{Sse, field, open_raw, spawn_app};

testkit::behaviours!(Sse:
    drain::every_client_gets_what_was_accepted_and_is_released,
    drain::a_service_that_is_draining_takes_nothing_new,
    drain::a_service_without_clients_stops_at_once,
);

#[tokio::test]
async fn a_client_that_is_released_gets_the_time_to_come_back() {
    let mut server = spawn_app(&["--drain", "1s"]).await;
    let (mut client, _) = open_raw(server.address(), "/events").await;
    begin_stop(&mut server).await;
    let last = client.read_to_end().await;
    let retry = field(&last, "retry").unwrap_or_else(|| panic!("{last:?}"));
    assert!(retry.parse::<u32>().is_ok_and(|millis| millis > 0), "{last:?}");
    assert_eq!(last, format!("retry: {retry}\n\n"));
    assert!(client.has_last_chunk(), "an end is not a cut");
    server.stopped().await;
}

#[tokio::test]
async fn a_client_that_is_behind_gets_the_rest_before_it_is_released() {
    let mut server = spawn_app(&[&HUGE_ALLOWED[..], &["--drain", "1s", "--write-timeout", "1m"]].concat()).await;
    let (mut client, _) = open_raw(server.address(), "/events").await;
    publish(&server, "main", huge("x")).await;
    let last = publish(&server, "main", "last").await;
    begin_stop(&mut server).await;
    client.read_until(&format!("id: {last}\ndata: last\n\n")).await;
    assert!(client.read_to_end().await.starts_with("retry: "));
    assert!(client.has_last_chunk());
}
