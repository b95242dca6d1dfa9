//! Streams over HTTP/2.

use futures_util::future::join_all;
use serde_json::json;
use testkit::access::{SECRET, assert_on_time, short_token, token_with};
use testkit::metrics::Samples;
use testkit::soon;
use testkit::tls::Identity;
use warp::http::Version;

use crate::helpers::{Events, spawn_app};

#[tokio::test]
async fn many_streams_share_one_connection() {
    let identity = Identity::new();
    let files = identity.flags();
    let mut server =
        spawn_app(&[&files[0], &files[1], "--drain", "0", "--max-connections", "1", "--overflow-publishers", "1"])
            .await;
    let (client, url) = (identity.http2_client(), format!("https://{}", server.address()));
    let answer = soon(client.get(format!("{url}/events")).send()).await.unwrap();
    assert_eq!(answer.version(), Version::HTTP_2);
    assert_eq!(answer.headers()["content-type"], "text/event-stream");
    drop(answer);
    let mut streams: Vec<Events> = join_all((0..60).map(|_| Events::follow(client.get(format!("{url}/events"))))).await;
    for text in ["one", &"x".repeat(50_000), "three\nlines\n"] {
        let publication = client.post(format!("{url}/messages")).body(text.to_owned());
        assert_eq!(soon(publication.send()).await.unwrap().status(), 201);
        for stream in &mut streams {
            assert_eq!(stream.event().await.data, text);
        }
    }
    // One that goes leaves the others alone.
    streams.pop();
    let publication = client.post(format!("{url}/messages")).body("last");
    assert_eq!(soon(publication.send()).await.unwrap().status(), 201);
    for stream in &mut streams {
        assert_eq!(stream.event().await.data, "last");
    }
    server.begin_stop();
    for stream in &mut streams {
        stream.closed().await;
    }
}

#[tokio::test]
async fn a_stream_that_is_not_read_holds_up_no_other() {
    let identity = Identity::new();
    let files = identity.flags();
    let server = spawn_app(&[&files[0], &files[1], "--history-bytes", "16 MiB"]).await;
    let (client, url) = (identity.http2_client(), format!("https://{}", server.address()));
    let unread = soon(client.get(format!("{url}/events?topic=loud")).send()).await.unwrap();
    let mut quiet = Events::follow(client.get(format!("{url}/events?topic=quiet"))).await;
    // More than any window of the connection, the streams and hyper.
    for number in 0..100 {
        for (topic, text) in [("loud", "x".repeat(60_000)), ("quiet", number.to_string())] {
            let publication = client.post(format!("{url}/messages?topic={topic}")).body(text);
            assert_eq!(soon(publication.send()).await.unwrap().status(), 201);
        }
        assert_eq!(quiet.event().await.data, number.to_string());
    }
    drop(unread);
}

#[tokio::test]
async fn a_stream_ends_in_order_with_its_token() {
    let identity = Identity::new();
    let files = identity.flags();
    let server = spawn_app(&[&files[0], &files[1], "--jwt-secret", SECRET]).await;
    let (client, url) = (identity.http2_client(), format!("https://{}", server.address()));
    let (token, end) = short_token();
    let mut events = Events::follow(client.get(format!("{url}/events?topic=a.b")).bearer_auth(token)).await;
    let publication = client.post(format!("{url}/messages?topic=a.b")).bearer_auth(token_with(json!({}))).body("due");
    assert_eq!(soon(publication.send()).await.unwrap().status(), 201);
    assert_eq!(events.event().await.data, "due");
    assert_eq!(events.event().await.event, "expired");
    assert_on_time(end);
    events.closed().await;
    let refused = client.get(format!("{url}/events?topic=a.b"));
    testkit::assert_refused(soon(refused.send()).await.unwrap(), 401, "unauthorized").await;
}

/// A stream whose client does not read it is given up, and counted so; the others of its connection go on.
#[tokio::test]
async fn a_stream_that_nobody_reads_ends_by_the_write_timeout() {
    let identity = Identity::new();
    let files = identity.flags();
    let server = spawn_app(&[&files[0], &files[1], "--drain", "0", "--write-timeout", "300ms"]).await;
    let (client, url) = (identity.http2_client(), format!("https://{}", server.address()));
    let unread = soon(client.get(format!("{url}/events")).send()).await.unwrap();
    let mut read = Events::follow(client.get(format!("{url}/events?topic=other"))).await;
    let text = "x".repeat(60_000);
    let has_ended = async {
        loop {
            // More than the client's window has room for.
            let publication = client.post(format!("{url}/messages")).body(text.clone());
            assert_eq!(publication.send().await.unwrap().status(), 201);
            let metrics = client.get(format!("{url}/metrics")).send().await.unwrap().text().await.unwrap();
            let ended = Samples::parse(&metrics);
            if ended.sum("push_connections_closed_total", &["reason=\"write_timeout\""]) > 0.5 {
                return;
            }
        }
    };
    soon(has_ended).await;
    let publication = client.post(format!("{url}/messages?topic=other")).body("m");
    assert_eq!(soon(publication.send()).await.unwrap().status(), 201);
    assert_eq!(read.event().await.data, "m");
    drop(unread);
}
