//! The signals that stop a service.

use std::future::Future;

use tokio::signal::unix::{SignalKind, signal};
use tracing::warn;

use crate::log_writer;

/// The system does not let the process handle its signals.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen for signals")]
pub struct SignalError(#[from] std::io::Error);

/// Listens for SIGTERM and SIGINT from this call on, and resolves at the first. A second one ends the process at once.
///
/// # Errors
/// When the system does not let the process handle its signals.
pub fn stop_signal() -> Result<impl Future<Output = ()>, SignalError> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut next = async move || {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    };
    Ok(async move {
        next().await;
        tokio::spawn(async move {
            next().await;
            warn!("second signal: ending at once");
            log_writer::flush();
            std::process::exit(130);
        });
    })
}
