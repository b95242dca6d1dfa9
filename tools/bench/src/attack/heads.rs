//! Heads of requests: as large as they may be, too large, and one byte of them.

use std::time::Duration;

use tokio::time::sleep;

use super::client::Client;
use super::ground::Ground;

/// The default of --max-head-bytes.
const MOST: usize = 48 * 1024;

/// The number of headers that are still read.
const HEADERS: usize = 95;

/// The time after which the connection of a byte is left and another one opened.
const PATIENCE: Duration = Duration::from_millis(500);

/// Sends heads with as many headers as are read, in turn as large as allowed and too large.
pub(super) async fn flood(ground: &Ground, index: usize) -> anyhow::Result<()> {
    let length = if index.is_multiple_of(2) { MOST / HEADERS - 20 } else { MOST };
    let header = |number| format!("X-Attack-{number:02}: {}\r\n", "x".repeat(length));
    let head = format!("GET /livez HTTP/1.1\r\nHost: {}\r\n", ground.address);
    let request = head + &(0..HEADERS).map(header).collect::<String>() + "\r\n";
    let mut client = Client::connect(ground).await?;
    loop {
        client.send(request.as_bytes()).await?;
        client.answer().await?;
    }
}

/// Begins a request and says no more.
pub(super) async fn begin(ground: &Ground) -> anyhow::Result<()> {
    let mut client = Client::connect(ground).await?;
    client.send(b"G").await?;
    sleep(PATIENCE).await;
    Ok(())
}
