//! Uploads that never end.

use std::time::Duration;

use tokio::time::{sleep, timeout};

use super::client::Client;
use super::ground::Ground;

/// The announced length: the default of --max-body-bytes.
const LENGTH: usize = 1 << 20;

/// The time between two bytes.
const TRICKLE: Duration = Duration::from_millis(500);

/// The time until a client that was refused comes back.
const PAUSE: Duration = Duration::from_secs(1);

pub(super) async fn live(ground: &Ground) -> anyhow::Result<()> {
    let mut client = Client::connect(ground).await?;
    client.send(&ground.post("application/json", LENGTH)).await?;
    client.send(b"[").await?;
    // An answer before the end of the body is a refusal.
    while timeout(TRICKLE, client.status()).await.is_err() {
        client.send(b" ").await?;
    }
    sleep(PAUSE).await;
    Ok(())
}
