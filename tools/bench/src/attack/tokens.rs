//! Tokens that are not good.

use ring::hmac;
use serde_json::{Value, json};

use super::client::Client;
use super::ground::Ground;
use super::site::{KEY, claims};

/// The length of a long token: a head of a request has little more by default.
const LONG: usize = 40_000;

/// The lengths of an ES256 and an RS256 signature.
const ES256: usize = 64;
const RS256: usize = 256;

/// Asks with bad tokens: garbage, `none`, a public key in place of a secret, another secret, and very long ones, in turn.
pub(super) async fn bad(ground: &Ground, index: usize) -> anyhow::Result<()> {
    let token = match index % 6 {
        0 => "garbage".repeat(20),
        1 => format!("{}.", token::unsigned(&json!({ "alg": "none", "kid": KEY }), &claims())),
        2 => by_hmac(&ground.site.keys()?.point),
        3 => by_hmac(b"a secret of more than 32 bytes, by somebody else"),
        4 => token::signed(&token::unsigned(&json!({ "alg": "RS256", "kid": KEY }), &claims()), &[7; RS256]),
        _ => "x".repeat(LONG),
    };
    let requests = requests(ground, &token);
    let mut client = Client::connect(ground).await?;
    loop {
        for request in &requests {
            client.send(request).await?;
            client.answer().await?;
        }
    }
}

/// Asks with tokens of ever new keys, which the set might have by now.
pub(super) async fn unknown_keys(ground: &Ground) -> anyhow::Result<()> {
    let mut client = Client::connect(ground).await?;
    loop {
        let header = json!({ "alg": "ES256", "kid": format!("{:032x}", fastrand::u128(..)) });
        let token = token::signed(&token::unsigned(&header, &claims()), &[7; ES256]);
        for request in requests(ground, &token) {
            client.send(&request).await?;
            client.answer().await?;
        }
    }
}

/// Signs with any bytes as if they were the secret.
fn by_hmac(secret: &[u8]) -> String {
    let header: Value = json!({ "alg": "HS256", "kid": KEY });
    let unsigned = token::unsigned(&header, &claims());
    let signature = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), unsigned.as_bytes());
    token::signed(&unsigned, signature.as_ref())
}

/// A page, a publication and a stream with a token.
fn requests(ground: &Ground, token: &str) -> [Vec<u8>; 3] {
    let header = format!("Authorization: Bearer {token}\r\n");
    let headers = ground.headers() + &header;
    [
        format!("GET /messages?topic=attack HTTP/1.1\r\n{headers}\r\n").into_bytes(),
        format!("POST /messages?topic=attack HTTP/1.1\r\n{headers}Content-Length: 1\r\n\r\nx").into_bytes(),
        ground.follow_with("topic=attack", &header),
    ]
}
