//! A closed service.

use serde_json::json;
use testkit::tokens::{CLOSED, assert_on_time, short_token, token_with};
use testkit::{Server, client, soon};

use crate::helpers::{Events, Sse, spawn_app};

testkit::access_behaviours!(Sse);

async fn publish(server: &Server, text: &str) {
    let request = client().post(server.url("/messages?topic=a.b")).bearer_auth(token_with(json!({})));
    assert_eq!(soon(request.body(text.to_owned()).send()).await.unwrap().status(), 201);
}

async fn follow(server: &Server, token: &str, last_event_id: &str) -> Events {
    let request = client().get(server.url("/events?topic=a.b")).header("last-event-id", last_event_id);
    Events::follow(request.bearer_auth(token)).await
}

#[tokio::test]
async fn a_stream_ends_in_order_with_its_token_and_goes_on_with_another() {
    let server = spawn_app(&CLOSED).await;
    let (token, end) = short_token();
    let mut events = follow(&server, &token, "now").await;
    publish(&server, "before").await;
    let message = events.event().await;
    assert_eq!(message.data, "before");
    let expired = events.event().await;
    assert_on_time(end);
    assert_eq!((expired.event.as_str(), expired.data.as_str()), ("expired", r#"{"reason":"token_expired"}"#));
    assert!(expired.retry.is_some(), "a browser comes back soon");
    assert_eq!(expired.id, message.id, "it comes back with the position that it has reached");
    events.closed().await;

    publish(&server, "between").await;
    let mut events = follow(&server, &token_with(json!({})), &expired.id).await;
    assert_eq!(events.event().await.data, "between");
}

/// A token that has ended is accepted a moment longer from those who come, whose clocks may be behind. What it opens ends at once.
#[tokio::test]
async fn a_stream_with_a_token_that_has_just_ended_delivers_what_is_due_and_ends() {
    let server = spawn_app(&CLOSED).await;
    publish(&server, "due").await;
    let just_ended = token_with(json!({ "exp": token::now() - 2.0 }));
    let mut events = follow(&server, &just_ended, "earliest").await;
    assert_eq!(events.event().await.data, "due");
    assert_eq!(events.event().await.event, "expired");
    events.closed().await;
}
