//! Several issuers, whose subjects may have the same name.

use serde_json::json;
use testkit::tokens::{SECRET, token_with};

use crate::service::Service;

/// A subject is unique within its issuer (RFC 7519, section 4.1.2).
#[tokio::test]
async fn subjects_of_different_issuers_are_different_publishers() {
    let issuers = ["--jwt-secret", SECRET, "--jwt-issuer", "https://a.example", "--jwt-issuer", "https://b.example"];
    let service = Service::start(&[&issuers[..], &["--publish-rate", "1:1"]].concat()).await;
    let publish = async |issuer: &str| {
        let token = token_with(json!({ "iss": issuer, "sub": "ada", "publish": ["main"] }));
        // Another text under the same key is refused, unless it is another publisher's.
        let request = service.posting("").bearer_auth(token).header("idempotency-key", "k").body(issuer.to_owned());
        service.send(request).await.status
    };
    assert_eq!(publish("https://a.example").await, 201);
    assert_eq!(publish("https://a.example").await, 429);
    assert_eq!(publish("https://b.example").await, 201, "another ada");
    assert_eq!(publish("https://c.example").await, 401);
}
