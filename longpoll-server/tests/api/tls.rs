//! Polls over TLS.

use serde_json::Value;
use testkit::soon;
use testkit::tls::Identity;

use crate::helpers::{LongPolling, spawn_app, texts};

testkit::certificate_behaviours!(LongPolling);

#[tokio::test]
async fn a_poll_is_held_over_tls() {
    let identity = Identity::new();
    let files = identity.flags();
    let server = spawn_app(&[&files[0], &files[1]]).await;
    let url = format!("https://{}", server.address());
    for client in identity.clients() {
        let poll = client.get(format!("{url}/poll?since=now")).send();
        let publish = async {
            // As often as it takes: the poll may come later.
            loop {
                let publication = client.post(format!("{url}/messages")).body("m");
                assert_eq!(soon(publication.send()).await.unwrap().status(), 201);
            }
        };
        let page = tokio::select! {
            page = soon(poll) => page.unwrap(),
            () = publish => unreachable!(),
        };
        let page: Value = soon(page.json()).await.unwrap();
        assert_eq!(texts(&page)[0], "m");
    }
}
