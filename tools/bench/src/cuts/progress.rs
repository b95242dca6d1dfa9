//! The progress of a run: a line that is overwritten on a terminal, and otherwise a line now and then.

use std::io::{IsTerminal, Write, stderr};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

use super::events::{Clock, Progress};
/// The interval of the lines where there is no terminal.
const SELDOM: Duration = Duration::from_secs(10);

/// Shows the progress until it is dropped.
#[derive(Debug)]
pub(crate) struct Shown {
    _task: JoinSet<()>,
}

/// Begins to show the progress of the clients.
pub(crate) fn show(name: &'static str, length: Duration, clients: Vec<Arc<Progress>>, clock: Clock) -> Shown {
    let mut task = JoinSet::new();
    let terminal = stderr().is_terminal();
    task.spawn(async move {
        let mut ticks = interval(if terminal { Duration::from_millis(500) } else { SELDOM });
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let began = clock.now();
        ticks.tick().await;
        loop {
            ticks.tick().await;
            let seconds = (clock.now() - began) / 1_000_000;
            let received: u64 = clients.iter().map(|client| client.received.load(Ordering::Relaxed)).sum();
            let reconnects: u64 = clients.iter().map(|client| client.reconnects.load(Ordering::Relaxed)).sum();
            let length = length.as_secs();
            let phase = if seconds > length { "catching up".to_owned() } else { format!("{seconds} of {length} s") };
            let line = format!("{name}: {phase}, {received} messages received, {reconnects} reconnects");
            // A closed standard error is no reason to stop.
            let _ = if terminal { write!(stderr(), "\r\x1b[K{line}") } else { writeln!(stderr(), "{line}") };
        }
    });
    Shown { _task: task }
}

impl Drop for Shown {
    fn drop(&mut self) {
        if stderr().is_terminal() {
            let _ = write!(stderr(), "\r\x1b[K");
        }
    }
}
