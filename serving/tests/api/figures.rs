//! The metrics of TLS, of tokens and of the keys that these are checked by.

use serde_json::json;
use testkit::RawClient;
use testkit::metrics::Samples;
use testkit::soon;
use testkit::tls::{Identity, VERSIONS};
use testkit::tokens::{SECRET, token_with};

use crate::service::Service;

/// The metrics, by a client that is fit for the service.
async fn samples(client: &reqwest::Client, url: String) -> Samples {
    let text = soon(async { client.get(url).send().await?.text().await }).await.unwrap();
    Samples::parse(&text)
}

#[track_caller]
fn assert_is(samples: &Samples, name: &str, label: &str, value: f64) {
    assert!((samples.sum(name, &[label]) - value).abs() < 0.1, "{name} {label} is not {value}: {samples:?}");
}

#[tokio::test]
async fn handshakes_are_counted_by_their_results_and_the_end_of_the_certificate_shows() {
    let identity = Identity::new();
    let files = identity.flags();
    let service = Service::start(&[&files[0], &files[1]]).await;
    // Four that are completed, the one of the client of the metrics included.
    for version in VERSIONS {
        identity.connect(service.address(), version).await.unwrap();
    }
    identity.connect_http2(service.address()).await.unwrap();
    // Nobody trusts the certificate of somebody else.
    Identity::new().connect(service.address(), VERSIONS[1]).await.unwrap_err();
    let mut nonsense = RawClient::connect(service.address()).await;
    nonsense.send(b"\x16\x03\x01\x00\x05nonsense").await;
    nonsense.read_to_end().await;
    service.raw("GET / HTTP/1.1\r\nhost: test\r\n\r\n").await;
    drop(RawClient::connect(service.address()).await);
    let client = identity.client();
    let url = || format!("https://{}/metrics", service.address());
    let results = ["completed", "failed", "plain_text", "abandoned"];
    let shown = soon(async {
        loop {
            let samples = samples(&client, url()).await;
            if samples.sum("push_tls_handshakes_total", &[]) >= 8.0 {
                return samples;
            }
        }
    })
    .await;
    for (result, count) in results.into_iter().zip([4.0, 2.0, 1.0, 1.0]) {
        assert_is(&shown, "push_tls_handshakes_total", &format!("result=\"{result}\""), count);
    }
    let year_4096: jiff::Timestamp = "4096-01-01T00:00:00Z".parse().unwrap();
    assert_is(&shown, "push_tls_certificate_expires_timestamp_seconds", "", year_4096.as_second() as f64);
}

#[tokio::test]
async fn refused_tokens_are_counted_by_few_reasons() {
    let service = Service::start(&["--jwt-secret", SECRET, "--jwt-issuer", "us"]).await;
    let ask = async |token: &str| {
        let page = service.client.get(service.server.url("/messages?topic=a.b")).bearer_auth(token);
        service.send(page).await.status
    };
    assert_eq!(ask(&token_with(json!({ "iss": "us" }))).await, 200);
    // The content of one token under the signature of another.
    let [one, other] = ["one", "other"].map(|name| token_with(json!({ "iss": "us", "sub": name })));
    let (Some((signed, _)), Some((_, signature))) = (one.rsplit_once('.'), other.rsplit_once('.')) else {
        panic!("a token has three parts")
    };
    for token in [
        "garbage".to_owned(),
        token_with(json!({ "iss": "us", "exp": 1 })),
        token_with(json!({ "iss": "us", "nbf": token::now() + 1000.0 })),
        token_with(json!({ "iss": "somebody" })),
        token_with(json!({ "iss": "us", "publish": 7 })),
        format!("{signed}.{signature}"),
    ] {
        assert_eq!(ask(&token).await, 401, "{token}");
    }
    assert_eq!(service.get("/messages?ticket=x").await.status, 401);
    let samples = Samples::of(service.address()).await;
    for reason in ["malformed", "expired", "not_yet", "issuer", "claims", "signature", "ticket"] {
        assert_is(&samples, "push_tokens_refused_total", &format!("reason=\"{reason}\""), 1.0);
    }
    assert_is(&samples, "push_tokens_refused_total", "", 7.0);
    for absent in ["push_tls_handshakes_total", "push_jwks_read_failures_total", "push_sqlite_messages"] {
        assert!(!samples.has(absent), "{absent} is of something that is not in use");
    }
}
