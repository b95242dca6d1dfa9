//! SIGINT and SIGTERM.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::exit::{Exit, Outcome};

/// The time that a command has to end by itself. It may wait for somebody who does not read its output.
const PATIENCE: Duration = Duration::from_secs(1);

/// The signals that end a command.
#[derive(Debug)]
pub(crate) struct Signals {
    came: CancellationToken,
    number: Arc<AtomicU8>,
}

impl Signals {
    /// Takes signals from now on. The second one ends the process at once, and so does the first one if nothing happens.
    pub(crate) fn listen() -> Outcome<Self> {
        let failed = |error| Exit::Failed(format!("signals cannot be received: {error}"));
        let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
        let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
        let (came, number) = (CancellationToken::new(), Arc::new(AtomicU8::new(0)));
        let signals = Self { came: came.clone(), number: Arc::clone(&number) };
        tokio::spawn(async move {
            let mut next = async || {
                tokio::select! {
                    _ = interrupt.recv() => 2,
                    _ = terminate.recv() => 15,
                }
            };
            let first = next().await;
            number.store(first, Ordering::Relaxed);
            came.cancel();
            let last = timeout(PATIENCE, next()).await.unwrap_or(first);
            std::process::exit(128 + i32::from(last));
        });
        Ok(signals)
    }

    /// Waits for a signal.
    pub(crate) async fn came(&self) -> Exit {
        self.came.cancelled().await;
        Exit::Signal(self.number.load(Ordering::Relaxed))
    }

    /// Does something until it is done, or a little longer than until a signal comes.
    pub(crate) async fn or_interrupted(&self, work: impl Future<Output = Outcome>) -> Outcome {
        tokio::select! {
            biased;
            outcome = work => outcome,
            // A command that ends by itself on a signal has done so before.
            signal = async { let signal = self.came().await; sleep(PATIENCE / 4).await; signal } => Err(signal),
        }
    }
}
