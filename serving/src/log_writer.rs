//! The way of the log to standard error, which never holds up whoever logs.
//!
//! Lines wait in a queue for a thread that writes them. Where nobody reads standard error, the queue fills up; further lines
//! are dropped, counted, and reported once it is read again.

use std::cell::RefCell;
use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use tracing::warn;

/// The number of lines that wait to be written.
const LINES: usize = 1024;

/// The lines that were dropped since the process was started.
static DROPPED: AtomicU64 = AtomicU64::new(0);

/// The queue of the process, for [`flush`].
static QUEUE: OnceLock<SyncSender<Entry>> = OnceLock::new();

thread_local! {
    /// The lines that the thread of the log logs itself, which need no place in the queue.
    static OWN_LINES: RefCell<Option<Vec<u8>>> = const { RefCell::new(None) };
}

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

/// The number of lines that were dropped since the process was started.
pub(crate) fn dropped() -> u64 {
    DROPPED.load(Ordering::Relaxed)
}

/// Waits until the lines logged so far are written, for a second at most. Called before the process ends.
pub fn flush() {
    if let Some(queue) = QUEUE.get() {
        wait_until_written(queue);
    }
}

fn wait_until_written(queue: &SyncSender<Entry>) {
    const PATIENCE: Duration = Duration::from_secs(1);
    const PAUSE: Duration = Duration::from_millis(1);
    let end = Instant::now() + PATIENCE;
    let (done, written) = sync_channel(1);
    // The queue may be full, and standard error be read from just now on.
    while queue.try_send(Entry::Flush(done.clone())).is_err() {
        if Instant::now() >= end {
            return;
        }
        thread::sleep(PAUSE);
    }
    // Nobody may read standard error.
    let _ = written.recv_timeout(end.saturating_duration_since(Instant::now()));
}

/// One call writes one line, as `tracing_subscriber` does.
impl Write for LogWriter {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if OWN_LINES.with_borrow_mut(|own| own.as_mut().map(|own| own.extend_from_slice(line)).is_some()) {
            return Ok(line.len());
        }
        match self.queue.try_send(Entry::Line(line.into())) {
            Ok(()) => {}
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {
                self.dropped.fetch_add(1, Ordering::Relaxed);
                DROPPED.fetch_add(1, Ordering::Relaxed);
            }
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn write_all(entries: &Receiver<Entry>, mut output: impl Write, dropped: &AtomicU64) {
    OWN_LINES.set(Some(Vec::new()));
    for entry in entries {
        let (line, done) = match entry {
            Entry::Line(line) => (line, None),
            Entry::Flush(done) => (Box::default(), Some(done)),
        };
        // There is no other place to report an error.
        let _ = output.write_all(&line);
        let dropped = dropped.swap(0, Ordering::Relaxed);
        if dropped > 0 {
            warn!(dropped, "lines of the log were dropped, since standard error was not read");
            let own = OWN_LINES.with_borrow_mut(|own| own.as_mut().map(std::mem::take));
            let _ = output.write_all(&own.unwrap_or_default());
        }
        if let Some(done) = done {
            let _ = done.try_send(());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    /// An output that takes nothing before its gate is opened.
    struct Gated {
        gate: Receiver<()>,
        lines: Arc<AtomicU64>,
    }

    impl Write for Gated {
        fn write(&mut self, line: &[u8]) -> io::Result<usize> {
            // Fails once the gate is open.
            let _ = self.gate.recv();
            self.lines.fetch_add(1, Ordering::Relaxed);
            Ok(line.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_full_queue_is_written_before_the_end() {
        let (open, gate) = channel();
        let lines = Arc::new(AtomicU64::new(0));
        let mut writer = LogWriter::start(Gated { gate, lines: Arc::clone(&lines) }).unwrap();
        while writer.dropped.load(Ordering::Relaxed) == 0 {
            writer.write_all(b"line\n").unwrap();
        }
        let queue = writer.queue.clone();
        let waiting = thread::spawn(move || wait_until_written(&queue));
        drop(open);
        waiting.join().unwrap();
        assert!(lines.load(Ordering::Relaxed) >= LINES as u64);
    }
}
