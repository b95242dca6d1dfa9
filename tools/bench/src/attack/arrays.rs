//! Many messages in one request.

use super::client::Client;
use super::ground::Ground;

/// As many as --max-array allows by default.
const ALLOWED: usize = 1000;

/// As many as fit into --max-body-bytes, which are too many.
const TOO_MANY: usize = 80_000;

pub(super) async fn live(ground: &Ground, index: usize) -> anyhow::Result<()> {
    let count = if index % 4 == 3 { TOO_MANY } else { ALLOWED };
    let body = format!("[{}]", vec![r#"{"text":""}"#; count].join(","));
    let request = [&ground.post("application/json", body.len())[..], body.as_bytes()].concat();
    let mut client = Client::connect(ground).await?;
    loop {
        client.send(&request).await?;
        client.answer().await?;
    }
}
