//! Polls over HTTP/2.

use futures_util::future::join_all;
use serde_json::Value;
use testkit::soon;
use testkit::tls::Identity;
use warp::http::Version;

use crate::helpers::{spawn_app, texts};

#[tokio::test]
async fn many_polls_are_held_on_one_connection() {
    let identity = Identity::new();
    let files = identity.flags();
    let server = spawn_app(&[&files[0], &files[1]]).await;
    let (client, url) = (identity.http2_client(), format!("https://{}", server.address()));
    let nothing = soon(client.get(format!("{url}/poll?wait=0")).send()).await.unwrap();
    assert_eq!((nothing.status().as_u16(), nothing.version()), (204, Version::HTTP_2));
    let page = soon(client.get(format!("{url}/poll?since=now&wait=0")).send()).await.unwrap();
    let page: Value = soon(page.json()).await.unwrap();
    let since = page["cursor"].as_str().unwrap();
    let polls = join_all((0..50).map(|_| client.get(format!("{url}/poll?since={since}")).send()));
    let publish = async {
        let publication = client.post(format!("{url}/messages")).body("m".repeat(40_000));
        assert_eq!(soon(publication.send()).await.unwrap().status(), 201);
    };
    let (answers, ()) = tokio::join!(soon(polls), publish);
    for answer in answers {
        let answer = answer.unwrap();
        assert_eq!(
            (answer.version(), &answer.headers()["content-type"]),
            (Version::HTTP_2, &"application/json".parse().unwrap())
        );
        let page: Value = soon(answer.json()).await.unwrap();
        assert_eq!(texts(&page), ["m".repeat(40_000)]);
    }
}
