//! The judgement of a history after a crash.

use std::collections::HashMap;
use std::path::Path;

use anyhow::{Context, ensure};

use crate::history::{self, OpenHistory};
use crate::record::Told;

/// Opens the history in a directory as it was left by a crash, and returns how many messages it has.
///
/// # Errors
/// Fails when it cannot be opened, has not all that was told or has it otherwise, or gives an offset again.
pub(crate) async fn judge(directory: &Path, told: &[Told]) -> anyhow::Result<usize> {
    let history = OpenHistory::open(directory).await.context("it cannot be opened")?;
    let outcome = judge_open(&history, told).await;
    history.close().await;
    outcome
}

async fn judge_open(history: &OpenHistory, told: &[Told]) -> anyhow::Result<usize> {
    // Published after the crash: whatever comes before it was there.
    let after = history.publish("after", vec!["the crash".to_owned()]).await?;
    let first_free = after.first().context("it has no offset")?.offset;
    let mut subscriber = history.follow()?;
    let mut found: HashMap<u64, Told> = HashMap::new();
    while !found.contains_key(&first_free) {
        for message in history::next(&mut subscriber).await? {
            let offset = message.offset;
            ensure!(found.insert(offset, message).is_none(), "offset {offset} comes twice");
        }
    }
    for message in told {
        let offset = message.offset;
        ensure!(offset < first_free, "offset {offset} was given before and is given again, from {first_free} on");
        let there = found.get(&offset).with_context(|| format!("the message at offset {offset} is lost"))?;
        ensure!(there == message, "offset {offset} has another message than before");
    }
    Ok(found.len() - 1)
}
