//! Streams over TLS.

use testkit::soon;
use testkit::tls::Identity;

use crate::helpers::{Events, Sse, spawn_app};

testkit::certificate_behaviours!(Sse);

#[tokio::test]
async fn a_stream_is_read_over_tls() {
    let identity = Identity::new();
    let files = identity.flags();
    let mut server = spawn_app(&[&files[0], &files[1], "--drain", "0"]).await;
    let url = format!("https://{}", server.address());
    let mut streams = Vec::new();
    for client in identity.clients() {
        streams.push(Events::follow(client.get(format!("{url}/events"))).await);
    }
    let large = "x".repeat(50_000);
    for text in ["one", &large, "three"] {
        let publication = identity.client().post(format!("{url}/messages")).body(text.to_owned());
        assert_eq!(soon(publication.send()).await.unwrap().status(), 201);
        for events in &mut streams {
            assert_eq!(events.event().await.data, text);
        }
    }
    server.begin_stop();
    for mut events in streams {
        events.closed().await;
    }
}
