//! The signals that stop a service, and those that do not.

use std::future::Future;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::time::Instant;
use tracing::{debug, warn};

use crate::log_writer;

/// The time within which a second SIGINT counts as the first: a terminal and a parent process may both send one.
const SAME_INTERRUPT: Duration = Duration::from_millis(500);

/// The system does not let the process handle its signals.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen for signals")]
pub struct SignalError(#[from] std::io::Error);

/// Listens for SIGTERM, SIGINT and SIGQUIT from this call on, and resolves at the first. A second one ends the process at
/// once. SIGHUP, SIGUSR1, SIGUSR2 and SIGALRM do not end it; on SIGHUP, a closed service reads its keys again.
///
/// # Errors
/// When the system does not let the process handle its signals.
pub fn stop_signal() -> Result<impl Future<Output = ()>, SignalError> {
    ignore_others()?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut quit = signal(SignalKind::quit())?;
    let mut next = async move || {
        tokio::select! {
            _ = terminate.recv() => SignalKind::terminate(),
            _ = interrupt.recv() => SignalKind::interrupt(),
            _ = quit.recv() => SignalKind::quit(),
        }
    };
    Ok(async move {
        let first = next().await;
        let stopped = Instant::now();
        tokio::spawn(async move {
            while next().await == SignalKind::interrupt()
                && first == SignalKind::interrupt()
                && stopped.elapsed() < SAME_INTERRUPT
            {
                debug!("SIGINT again, which counts as the same one");
            }
            warn!("second signal: ending at once");
            log_writer::flush();
            std::process::exit(130);
        });
    })
}

/// Handles the signals that would end the process without a drain.
fn ignore_others() -> Result<(), SignalError> {
    let others = [
        ("SIGHUP", SignalKind::hangup()),
        ("SIGUSR1", SignalKind::user_defined1()),
        ("SIGUSR2", SignalKind::user_defined2()),
        ("SIGALRM", SignalKind::alarm()),
    ];
    for (name, kind) in others {
        let mut received = signal(kind)?;
        tokio::spawn(async move {
            while received.recv().await.is_some() {
                debug!("{name} does not end the process");
            }
        });
    }
    Ok(())
}
