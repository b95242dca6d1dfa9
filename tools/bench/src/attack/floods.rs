//! Publications without end: large ones, on ever new topics, and under ever new keys.

use std::sync::atomic::{AtomicU64, Ordering};

use super::client::Client;
use super::ground::{Ground, TOPIC};

/// Near the default of --max-message-bytes.
const LARGE: usize = 60_000;

/// The requests that are sent before the first of their answers is waited for.
const AHEAD: u64 = 20;

/// Names that no attacker has used.
static NAMES: AtomicU64 = AtomicU64::new(0);

/// Publishes large messages on one topic.
pub(super) async fn large(ground: &Ground) -> anyhow::Result<()> {
    let request = [&ground.post("text/plain", LARGE)[..], &vec![b'x'; LARGE]].concat();
    let mut client = Client::connect(ground).await?;
    loop {
        client.send(&request).await?;
        client.answer().await?;
    }
}

/// Publishes each message on a topic of its own.
pub(super) async fn topics(ground: &Ground) -> anyhow::Result<()> {
    small(ground, |name| format!("POST /messages?topic={TOPIC}.{name} HTTP/1.1\r\n")).await
}

/// Publishes each message under a key of its own.
pub(super) async fn keys(ground: &Ground) -> anyhow::Result<()> {
    small(ground, |name| format!("POST /messages?topic={TOPIC} HTTP/1.1\r\nIdempotency-Key: attack-{name}\r\n")).await
}

/// Publishes messages of one byte, some ahead of their answers.
async fn small(ground: &Ground, begin: impl Fn(u64) -> String) -> anyhow::Result<()> {
    let mut client = Client::connect(ground).await?;
    loop {
        let first = NAMES.fetch_add(AHEAD, Ordering::Relaxed);
        let rest = format!("Host: {}\r\nContent-Length: 1\r\n\r\nx", ground.address);
        let requests: String = (first..first + AHEAD).map(|name| begin(name) + &rest).collect();
        client.send(requests.as_bytes()).await?;
        for _ in 0..AHEAD {
            client.answer().await?;
        }
    }
}
