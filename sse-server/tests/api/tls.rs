//! Streams over TLS.

use testkit::soon;
use testkit::tls::Identity;

use crate::helpers::{Events, spawn_app};

#[tokio::test]
async fn a_stream_is_read_over_tls() {
    let identity = Identity::new();
    let files = identity.flags();
    let mut server = spawn_app(&[&files[0], &files[1], "--drain", "0"]).await;
    let (client, url) = (identity.client(), format!("https://{}", server.address()));
    let mut events = Events::follow(client.get(format!("{url}/events"))).await;
    let large = "x".repeat(50_000);
    for text in ["one", &large, "three"] {
        let publication = client.post(format!("{url}/messages")).body(text.to_owned());
        assert_eq!(soon(publication.send()).await.unwrap().status(), 201);
        assert_eq!(events.event().await.data, text);
    }
    server.begin_stop();
    events.closed().await;
}
