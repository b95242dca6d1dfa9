//! Beginning a new epoch, after a backup was restored.

use crate::bells;
use crate::config::SqliteConfig;
use crate::open_error::OpenError;
use crate::opening;
use shared::cursor::Epoch;

/// The reason why no new epoch was begun.
#[derive(Debug, thiserror::Error)]
pub enum NewEpochError {
    /// The history cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The file cannot be written.
    #[error("no new epoch was begun: {0}")]
    Write(String),
}

/// Gives the history in the directory of the flags a new epoch, so that cursors from before are recognised as such. Its messages
/// stay. Processes that run notice it, and send a gap to their clients.
///
/// # Errors
/// When there is no history, or it cannot be opened or written.
pub fn new_epoch(config: &SqliteConfig) -> Result<Epoch, NewEpochError> {
    let database = opening::open_existing(config)?;
    let renewed = database.present().and_then(|file| database.renew_epoch(file, None));
    let epoch = renewed.map_err(|trouble| NewEpochError::Write(trouble.to_string()))?;
    // A process whose bell cannot be rung looks for it soon.
    if let Ok((_, mut bells)) = bells::hang(&database) {
        bells.ring_others();
    }
    Ok(epoch)
}
