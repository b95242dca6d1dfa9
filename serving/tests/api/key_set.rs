//! The keys of `--jwks`: read over HTTP, read again, and kept while their source is away.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use parking_lot::Mutex;
use ring::rand::SystemRandom;
use ring::signature::{Ed25519KeyPair, KeyPair};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use testkit::metrics::{Samples, until};

use crate::service::Service;

/// A key that signs, as an issuer has it.
struct Issuer {
    name: &'static str,
    key: Ed25519KeyPair,
}

impl Issuer {
    fn new(name: &'static str) -> Self {
        let pkcs8 = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        Self { name, key: Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).unwrap() }
    }

    fn public(&self) -> Value {
        let x = URL_SAFE_NO_PAD.encode(self.key.public_key());
        json!({ "kty": "OKP", "crv": "Ed25519", "kid": self.name, "x": x })
    }

    fn token(&self, header: Value) -> String {
        let unsigned = token::unsigned(&header, &json!({ "exp": token::now() + 60.0, "subscribe": [">"] }));
        token::signed(&unsigned, self.key.sign(unsigned.as_bytes()).as_ref())
    }

    fn named_token(&self) -> String {
        self.token(json!({ "alg": "EdDSA", "kid": self.name }))
    }
}

/// The header of answers whose end never comes.
const HELD: &str = "x-held: 1\r\n";

/// A server with a set of keys.
#[derive(Clone)]
struct Source {
    url: String,
    answer: Arc<Mutex<String>>,
    asked: Arc<AtomicUsize>,
}

impl Source {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/keys?secret=of-the-source", listener.local_addr().unwrap());
        let source = Self { url, answer: Arc::default(), asked: Arc::default() };
        let served = source.clone();
        tokio::spawn(async move {
            let mut held = Vec::new();
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut request = Vec::new();
                while !request.ends_with(b"\r\n\r\n") {
                    stream.read_buf(&mut request).await.unwrap();
                }
                served.asked.fetch_add(1, Ordering::Relaxed);
                let answer = served.answer.lock().clone();
                // An error means that the service has seen enough.
                let _ = stream.write_all(answer.as_bytes()).await;
                if answer.contains(HELD) {
                    held.push(stream);
                }
            }
        });
        source
    }

    fn answer(&self, answer: impl Into<String>) {
        *self.answer.lock() = answer.into();
    }

    fn keys(&self, issuers: &[&Issuer]) {
        let keys: Vec<_> = issuers.iter().map(|issuer| issuer.public()).collect();
        let body = json!({ "keys": keys }).to_string();
        self.answer(format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len()));
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }
}

async fn status(service: &Service, token: &str) -> u16 {
    service.send(service.client.get(service.server.url("/messages?topic=a")).bearer_auth(token)).await.status
}

#[tokio::test]
async fn a_token_names_the_key_that_it_is_signed_with() {
    let (one, two, stranger) = (Issuer::new("one"), Issuer::new("two"), Issuer::new("one"));
    let source = Source::start().await;
    source.keys(&[&one, &two]);
    let service = Service::start(&["--jwks", &source.url]).await;
    for issuer in [&one, &two] {
        assert_eq!(status(&service, &issuer.named_token()).await, 200);
    }
    let asked = source.asked();
    for (token, what) in [
        (one.token(json!({ "alg": "EdDSA", "kid": "two" })), "the name of another key"),
        (stranger.named_token(), "the name of a key that did not sign"),
        (one.token(json!({ "alg": "EdDSA" })), "no name, with several keys"),
        (one.token(json!({ "alg": "HS256", "kid": "one" })), "another algorithm than the key's"),
        (one.token(json!({ "alg": "EdDSA", "kid": "one", "crit": ["b64"], "b64": false })), "an unknown extension"),
        (one.token(json!({ "alg": "EdDSA", "kid": ["one"] })), "a name that is none"),
    ] {
        assert_eq!(status(&service, &token).await, 401, "{what}");
    }
    assert_eq!(source.asked(), asked, "the set is not read again for a key that it has");

    let alone = Source::start().await;
    alone.keys(&[&one]);
    let service = Service::start(&["--jwks", &alone.url]).await;
    assert_eq!(status(&service, &one.token(json!({ "alg": "EdDSA" }))).await, 200, "no name, with one key");
}

#[tokio::test]
async fn an_unknown_key_has_the_set_read_again_but_not_by_each_token() {
    let (one, two) = (Issuer::new("one"), Issuer::new("two"));
    let source = Source::start().await;
    source.keys(&[&one]);
    let service = Service::start(&["--jwks", &source.url]).await;
    assert_eq!(status(&service, &one.named_token()).await, 200);
    assert_eq!(source.asked(), 1);
    source.keys(&[&one, &two]);
    for _ in 0..20 {
        assert_eq!(status(&service, &two.named_token()).await, 401, "the set was read less than 10 s ago");
    }
    assert_eq!(source.asked(), 1);
}

#[tokio::test]
async fn the_set_is_read_again_at_its_interval_and_kept_while_its_source_is_away() {
    let (one, two) = (Issuer::new("one"), Issuer::new("two"));
    let source = Source::start().await;
    source.keys(&[&one]);
    let service = Service::start(&["--jwks", &source.url, "--jwks-refresh", "20ms"]).await;
    assert_eq!(status(&service, &one.named_token()).await, 200);
    source.keys(&[&two]);
    testkit::soon(async { while status(&service, &two.named_token()).await != 200 {} }).await;
    assert_eq!(status(&service, &one.named_token()).await, 401, "a key that was taken out");
    let long = format!("HTTP/1.1 200 OK\r\ncontent-length: 999999\r\n\r\n{}", " ".repeat(300 * 1024));
    for away in [
        "HTTP/1.1 503 Gone\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
        "HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 11\r\nconnection: close\r\n\r\n{\"keys\":[]}",
        "HTTP/1.1 200 OK\r\ncontent-length: 99\r\nconnection: close\r\n\r\n{\"keys\":",
        &long,
        "",
    ] {
        source.answer(away);
        let asked = source.asked();
        testkit::soon(async {
            while source.asked() < asked + 3 {
                assert_eq!(status(&service, &two.named_token()).await, 200, "{away:.40}");
            }
        })
        .await;
    }
}

#[tokio::test]
async fn a_source_that_does_not_answer_in_time_is_asked_again() {
    let issuer = Issuer::new("one");
    let source = Source::start().await;
    source.keys(&[&issuer]);
    let service = Service::start(&["--jwks", &source.url, "--jwks-refresh", "20ms", "--jwks-timeout", "50ms"]).await;
    // A machine with much to do may need more than one reading.
    testkit::soon(async { while status(&service, &issuer.named_token()).await != 200 {} }).await;
    source.answer(format!("HTTP/1.1 200 OK\r\n{HELD}content-length: 99\r\n\r\n{{"));
    let asked = source.asked();
    testkit::soon(async {
        while source.asked() < asked + 3 {
            assert_eq!(status(&service, &issuer.named_token()).await, 200);
        }
    })
    .await;
}

/// A service that cannot check tokens yet is sent no clients, and refuses none for good.
#[tokio::test]
async fn until_the_set_has_been_read_the_service_is_not_ready() {
    let issuer = Issuer::new("one");
    let source = Source::start().await;
    source.answer("HTTP/1.1 500 Oh\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    let service = Service::start(&["--jwks", &source.url, "--jwks-refresh", "20ms"]).await;
    service.get("/readyz").await.assert_error(503, "not_ready", "keys of tokens");
    assert_eq!(status(&service, &issuer.named_token()).await, 503);
    assert_eq!(service.get("/livez").await.status, 200);
    source.keys(&[&issuer]);
    testkit::soon(async { while service.get("/readyz").await.status != 200 {} }).await;
    assert_eq!(status(&service, &issuer.named_token()).await, 200);
}

/// The metrics tell that the keys cannot be read, and since when.
#[tokio::test]
async fn readings_of_the_set_are_counted() {
    let issuer = Issuer::new("one");
    let source = Source::start().await;
    source.answer("HTTP/1.1 500 Oh\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    let service = Service::start(&["--jwks", &source.url, "--jwks-refresh", "20ms"]).await;
    let failures = |samples: &Samples| samples.sum("push_jwks_read_failures_total", &[]);
    let read_at = |samples: &Samples| samples.sum("push_jwks_read_timestamp_seconds", &[]);
    let samples = until(service.address(), |samples| failures(samples) >= 2.0).await;
    assert!(read_at(&samples) < 1.0, "it was never read: {samples:?}");
    let began = token::now();
    source.keys(&[&issuer]);
    let samples = until(service.address(), |samples| read_at(samples) > 0.0).await;
    assert!((began - 1.0..=token::now()).contains(&read_at(&samples)), "{samples:?}");
    let failed = failures(&samples);
    let asked = source.asked();
    testkit::soon(async {
        while source.asked() < asked + 3 {
            status(&service, &issuer.named_token()).await;
        }
    })
    .await;
    let samples = Samples::of(service.address()).await;
    assert!((failures(&samples) - failed).abs() < 0.1, "no reading fails any more: {samples:?}");
    // A token of nobody counts as one whose key is not known.
    assert_eq!(status(&service, &Issuer::new("two").named_token()).await, 401);
    let samples = Samples::of(service.address()).await;
    assert!((samples.sum("push_tokens_refused_total", &["reason=\"unknown_key\""]) - 1.0).abs() < 0.1, "{samples:?}");
}
