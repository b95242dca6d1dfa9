//! WebSockets over TLS.

use futures_util::{SinkExt, StreamExt};
use serde_json::Value;
use testkit::soon;
use testkit::tls::{Identity, VERSIONS};
use tokio_tungstenite::client_async;
use tokio_tungstenite::tungstenite::Message;

use crate::helpers::{Feed, spawn_app};

testkit::certificate_behaviours!(Feed);

#[tokio::test]
async fn the_feed_and_the_echo_are_spoken_over_tls() {
    let identity = Identity::new();
    let files = identity.flags();
    let server = spawn_app(&[&files[0], &files[1]]).await;
    for version in VERSIONS {
        let tls = identity.connect(server.address(), version).await.unwrap();
        let (mut feed, _) = soon(client_async("wss://127.0.0.1/feed", tls)).await.unwrap();
        let mut json = async || match soon(feed.next()).await.unwrap().unwrap() {
            Message::Text(text) => serde_json::from_str::<Value>(&text).unwrap(),
            other => panic!("{other:?}"),
        };
        assert_eq!(json().await["type"], "welcome");
        // Larger than a record.
        let text = "x".repeat(50_000);
        let publication = identity.client().post(format!("https://{}/messages", server.address()));
        assert_eq!(soon(publication.body(text.clone()).send()).await.unwrap().status(), 201);
        assert_eq!(json().await["text"], text.as_str());

        let tls = identity.connect(server.address(), version).await.unwrap();
        let (mut echo, _) = soon(client_async("wss://127.0.0.1/", tls)).await.unwrap();
        soon(echo.send(Message::binary(text.clone().into_bytes()))).await.unwrap();
        assert_eq!(soon(echo.next()).await.unwrap().unwrap().into_data(), text.as_bytes());
        soon(echo.close(None)).await.unwrap();
        while let Some(Ok(_)) = soon(echo.next()).await {}
    }
}
