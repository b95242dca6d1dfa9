//! Streams and pages over a large history, read slowly or not at all.

use std::future::pending;
use std::time::Duration;

use tokio::time::sleep;

use super::client::Client;
use super::ground::{Ground, TOPIC};

/// 5 KB/s.
const SIP: usize = 1000;
const PAUSE: Duration = Duration::from_millis(200);

/// Asks for everything and reads nothing.
pub(super) async fn never_read(ground: &Ground) -> anyhow::Result<()> {
    let mut client = Client::connect(ground).await?;
    client.send(&ground.follow(&format!("topic={TOPIC}&since=earliest"))).await?;
    pending().await
}

/// Reads a stream slowly, or a page after the other.
pub(super) async fn read_slowly(ground: &Ground, index: usize) -> anyhow::Result<()> {
    let mut client = Client::connect(ground).await?;
    let request = if index.is_multiple_of(2) {
        ground.follow(&format!("topic={TOPIC}&since=earliest"))
    } else {
        ground.get(&format!("/messages?topic={TOPIC}&limit=1000"))
    };
    client.send(&request).await?;
    client.status().await?;
    loop {
        client.read(SIP).await?;
        sleep(PAUSE).await;
    }
}
