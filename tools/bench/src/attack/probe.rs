//! A probe that asks `/livez` over a new connection, again and again, as an orchestrator does.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow, ensure};

use crate::histogram::Histogram;
use crate::load::Door;

const PERIOD: Duration = Duration::from_millis(20);

/// The longest time for an answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// The beginning of a good answer.
const OK: &[u8] = b"HTTP/1.1 200";

#[derive(Debug)]
pub(super) struct Probe {
    stop: Arc<AtomicBool>,
    thread: thread::JoinHandle<Probes>,
}

/// The answers to a probe.
#[derive(Debug, Default)]
pub(super) struct Probes {
    pub(super) answered: u64,
    pub(super) failed: u64,
    /// The reason for the first failure.
    pub(super) why: Option<String>,
    /// The delays. Requests that were due while an answer was late count with the delay that they would have had.
    pub(super) delays: Histogram,
}

impl Probe {
    pub(super) fn start(address: SocketAddr, door: Door) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = thread::spawn(move || {
            let mut probes = Probes::default();
            while !stopped.load(Ordering::Relaxed) {
                let began = Instant::now();
                probes.take(ask(address, &door), began.elapsed());
                thread::sleep(PERIOD.saturating_sub(began.elapsed()));
            }
            probes
        });
        Self { stop, thread }
    }

    pub(super) fn stop(self) -> anyhow::Result<Probes> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().map_err(|_| anyhow!("the probe panicked"))
    }
}

impl Probes {
    fn take(&mut self, answer: anyhow::Result<()>, delay: Duration) {
        let Err(error) = answer else {
            self.answered += 1;
            let mut left = delay;
            while !left.is_zero() {
                self.delays.add(left.as_nanos() as u64);
                left = left.saturating_sub(PERIOD);
            }
            return;
        };
        self.failed += 1;
        self.why.get_or_insert_with(|| format!("{error:#}"));
    }
}

fn ask(address: SocketAddr, door: &Door) -> anyhow::Result<()> {
    let mut stream = door.connect(address, PATIENCE)?;
    stream.write_all(format!("GET /livez HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").as_bytes())?;
    let mut answer = [0; OK.len()];
    stream.read_exact(&mut answer).context("not answered")?;
    ensure!(answer == OK, "answered {}", String::from_utf8_lossy(&answer));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_late_answer_counts_for_all_that_it_held_up() {
        let mut probes = Probes::default();
        probes.take(Ok(()), Duration::from_millis(1));
        probes.take(Ok(()), Duration::from_millis(50));
        probes.take(Err(anyhow!("first")), Duration::ZERO);
        probes.take(Err(anyhow!("second")), Duration::ZERO);
        assert_eq!((probes.answered, probes.failed, probes.why.as_deref()), (2, 2, Some("first")));
        // 1, and 50, 30 and 10.
        assert_eq!(probes.delays.count(), 4);
        assert_eq!(probes.delays.max(), Duration::from_millis(50));
    }
}
