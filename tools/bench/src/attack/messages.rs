//! WebSocket messages that never end.

use std::time::Duration;

use super::client::Client;
use super::ground::Ground;
use crate::load::frame;

/// Near the default of --max-message-bytes.
const LENGTH: usize = 60_000;

/// The bytes that are kept back, which would last for long.
const KEPT: usize = 1000;

/// The time between two bytes.
const TRICKLE: Duration = Duration::from_millis(500);

pub(super) async fn live(ground: &Ground) -> anyhow::Result<()> {
    let mut client = Client::connect(ground).await?;
    client.send(&ground.follow("topic=attack")).await?;
    client.status().await?;
    let frame = frame(1, &vec![b'x'; LENGTH]);
    let (begun, kept) = frame.split_at(frame.len() - KEPT);
    client.send(begun).await?;
    for byte in kept {
        client.drain(TRICKLE).await?;
        client.send(&[*byte]).await?;
    }
    Ok(())
}
