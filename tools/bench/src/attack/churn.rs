//! WebSockets that are opened and cut.

use super::client::Client;
use super::ground::Ground;
use crate::load::{frame, handshake};

pub(super) async fn live(ground: &Ground, index: usize) -> anyhow::Result<()> {
    let request = handshake("/", &ground.headers());
    let message = frame(1, b"hello");
    loop {
        let mut client = Client::connect(ground).await?;
        client.send(&request).await?;
        client.status().await?;
        // Every other one is cut while the echo is on its way.
        client.send(&message).await?;
        if index.is_multiple_of(2) {
            client.read(usize::MAX).await?;
        }
    }
}
