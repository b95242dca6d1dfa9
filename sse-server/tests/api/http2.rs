//! Streams over HTTP/2.

use std::future::poll_fn;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use serde_json::json;
use testkit::metrics::Samples;
use testkit::soon;
use testkit::tls::Identity;
use testkit::tokens::{SECRET, assert_on_time, short_token, token_with};
use tokio::time::Instant;
use warp::http::{Request, Version};

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

/// Behind a proxy, the requests of a connection are those of many clients, and each counts for its own for as long as it is open.
#[tokio::test]
async fn streams_count_for_the_clients_that_a_proxy_reports() {
    const HEADER: &str = "x-forwarded-for";
    let identity = Identity::new();
    let files = identity.flags();
    let places = ["--max-connections", "1", "--overflow-publishers", "1", "--max-connections-per-address", "2"];
    let proxied = ["--trusted-proxies", "127.0.0.0/8"];
    let server = spawn_app(&[&[files[0].as_str(), &files[1]], &places[..], &proxied].concat()).await;
    let (client, url) = (identity.http2_client(), format!("https://{}", server.address()));
    let stream = |address: &'static str| Events::follow(client.get(format!("{url}/events")).header(HEADER, address));
    let status = async |address: &str| {
        let page = client.get(format!("{url}/messages")).header(HEADER, address);
        soon(page.send()).await.unwrap().status().as_u16()
    };
    let (one, other) = ("192.0.2.1", "192.0.2.2");
    let mut streams = vec![stream(one).await, stream(one).await];
    assert_eq!(status(one).await, 503);
    streams.push(stream(other).await);
    assert_eq!(status(other).await, 200, "a further request of it");
    assert_eq!(status(one).await, 503, "those of others change nothing");
    streams.remove(0);
    soon(async { while status(one).await != 200 {} }).await;
    streams.push(stream(one).await);
    assert_eq!(status(one).await, 503);
}

/// A client's own connection counts once, whatever it asks for over it.
#[tokio::test]
async fn a_connection_counts_once_however_many_streams_it_has() {
    let identity = Identity::new();
    let files = identity.flags();
    let server = spawn_app(&[&files[0], &files[1], "--max-connections-per-address", "1"]).await;
    let (client, url) = (identity.http2_client(), format!("https://{}", server.address()));
    let mut streams = Vec::new();
    for _ in 0..3 {
        streams.push(Events::follow(client.get(format!("{url}/events"))).await);
    }
    assert_eq!(soon(client.get(format!("{url}/messages")).send()).await.unwrap().status(), 200);
    let second = identity.http2_client().get(format!("{url}/messages"));
    assert_eq!(soon(second.send()).await.unwrap().status(), 503);
}

/// A client whose window is closed when its token ends gets nothing that was published more than a second later, when it opens it again.
#[tokio::test]
async fn a_window_that_opens_after_the_end_of_a_token_lets_nothing_through() {
    let identity = Identity::new();
    let files = identity.flags();
    let server = spawn_app(&[&files[0], &files[1], "--jwt-secret", SECRET]).await;
    let (client, url) = (identity.http2_client(), format!("https://{}", server.address()));
    let publish = async |text: String| {
        let publication =
            client.post(format!("{url}/messages?topic=a.b")).bearer_auth(token_with(json!({}))).body(text);
        assert_eq!(soon(publication.send()).await.unwrap().status(), 201);
    };
    publish("warm".to_owned()).await;
    let tls = identity.connect_http2(server.address()).await.unwrap();
    let (mut requests, connection) =
        soon(h2::client::Builder::new().initial_window_size(1_000).handshake::<_, Bytes>(tls)).await.unwrap();
    let connection = tokio::spawn(connection);
    poll_fn(|cx| requests.poll_ready(cx)).await.unwrap();
    let (token, end) = short_token();
    let request = Request::get(format!("{url}/events?topic=a.b")).header("authorization", format!("Bearer {token}"));
    let (answer, _) = requests.send_request(request.body(()).unwrap(), true).unwrap();
    let answer = soon(answer).await.unwrap();
    assert_eq!(answer.status(), 200);
    // Far more than the window, so that what comes later waits behind it.
    publish(format!("due {}", "x".repeat(20_000))).await;
    let mut late = 0;
    while late < 3 {
        let is_late = Instant::now() > end + Duration::from_secs(1);
        publish(if is_late { "late" } else { "in time" }.to_owned()).await;
        late += u32::from(is_late);
    }
    let mut body = answer.into_body();
    let mut read = Vec::new();
    // It ends, in order or not.
    while let Some(Ok(data)) = soon(body.data()).await {
        read.extend_from_slice(&data);
        // An error means that the stream has ended.
        let _ = body.flow_control().release_capacity(data.len());
    }
    let text = String::from_utf8_lossy(&read);
    assert!(text.contains("due xxx") && !text.contains("late"), "{} bytes, {:?}", text.len(), text.find("late"));
    drop(connection);
}
