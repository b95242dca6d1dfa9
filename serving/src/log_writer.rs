//! The way of the log to standard error, which never holds up whoever logs.
//!
//! Lines wait in a queue for a thread that writes them. Where nobody reads standard error, the queue fills up; further lines
//! are dropped, counted, and reported once there is room again.

use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::Duration;

use tracing::warn;

/// The number of lines that wait to be written.
const LINES: usize = 1024;

/// The queue of the process, for [`flush`].
static QUEUE: OnceLock<SyncSender<Entry>> = OnceLock::new();

/// The writer of the log.
#[derive(Debug, Clone)]
pub(crate) struct LogWriter {
    queue: SyncSender<Entry>,
    dropped: Arc<AtomicU64>,
}

#[derive(Debug)]
enum Entry {
    Line(Box<[u8]>),
    /// Everything before is written once this is answered.
    Flush(SyncSender<()>),
}

impl LogWriter {
    /// Starts the thread that writes lines to `output`.
    pub(crate) fn start(output: impl Write + Send + 'static) -> io::Result<Self> {
        let (queue, entries) = sync_channel(LINES);
        let dropped = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&dropped);
        thread::Builder::new().name("log".to_owned()).spawn(move || write_all(&entries, output, &counted))?;
        Ok(Self { queue, dropped })
    }

    /// Has [`flush`] wait for this writer.
    pub(crate) fn is_of_the_process(&self) {
        // The first one stays.
        let _ = QUEUE.set(self.queue.clone());
    }
}

/// Waits until the lines logged so far are written, for a second at most. Called before the process ends.
pub fn flush() {
    const PATIENCE: Duration = Duration::from_secs(1);
    let Some(queue) = QUEUE.get() else { return };
    let (done, written) = sync_channel(1);
    if queue.try_send(Entry::Flush(done)).is_ok() {
        // Nobody may read standard error.
        let _ = written.recv_timeout(PATIENCE);
    }
}

/// One call writes one line, as `tracing_subscriber` does.
impl Write for LogWriter {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        match self.queue.try_send(Entry::Line(line.into())) {
            Ok(()) => {}
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {
                self.dropped.fetch_add(1, Ordering::Relaxed);
            }
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn write_all(entries: &Receiver<Entry>, mut output: impl Write, dropped: &AtomicU64) {
    for entry in entries {
        match entry {
            Entry::Line(line) => {
                // There is no other place to report it.
                let _ = output.write_all(&line);
            }
            Entry::Flush(done) => drop(done.try_send(())),
        }
        let dropped = dropped.swap(0, Ordering::Relaxed);
        if dropped > 0 {
            warn!(dropped, "lines of the log were dropped, since standard error was not read");
        }
    }
}
