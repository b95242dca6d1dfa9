//! Memory and descriptors of the server, read again and again.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context, anyhow};
use nix::unistd::{SysconfVar, sysconf};

use crate::process::Process;

const PERIOD: Duration = Duration::from_millis(50);

/// The part of the reading before above which memory counts as fallen: half of what it may be.
const NEAR: u64 = 20;

/// The part of a reading that is little.
const LITTLE: u64 = 100;

/// Sockets that come and go, such as that of a probe.
const NEAR_DESCRIPTORS: usize = 4;

/// One reading.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Reading {
    /// The server's resident memory, in bytes.
    pub(super) rss: u64,
    /// Its open descriptors.
    pub(super) descriptors: usize,
    /// The memory that the kernel holds for TCP sockets, those of the attackers included, in bytes.
    pub(super) sockets: u64,
}

#[derive(Debug)]
pub(super) struct Gauge {
    stop: Arc<AtomicBool>,
    thread: thread::JoinHandle<Reading>,
}

impl Reading {
    pub(super) fn of(process: &Process) -> anyhow::Result<Self> {
        Ok(Self { rss: process.rss()?, descriptors: process.descriptors()?, sockets: socket_memory()? })
    }

    /// The larger of each number.
    fn peak(self, other: Self) -> Self {
        Self {
            rss: self.rss.max(other.rss),
            descriptors: self.descriptors.max(other.descriptors),
            sockets: self.sockets.max(other.sockets),
        }
    }

    /// Returns whether the server holds less than at another reading, by more than a little.
    pub(super) fn is_below(&self, other: &Self) -> bool {
        self.rss < other.rss - other.rss / LITTLE || self.descriptors < other.descriptors
    }

    /// Returns whether the server has given back what it took since the reading before.
    pub(super) fn has_fallen_to(&self, before: &Self) -> bool {
        self.rss <= before.rss + before.rss / NEAR && self.descriptors <= before.descriptors + NEAR_DESCRIPTORS
    }
}

impl Gauge {
    pub(super) fn start(process: Process) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = thread::spawn(move || {
            let mut peak = Reading::default();
            while !stopped.load(Ordering::Relaxed) {
                // A server that has ended is reported by everything else.
                if let Ok(reading) = Reading::of(&process) {
                    peak = peak.peak(reading);
                }
                thread::sleep(PERIOD);
            }
            peak
        });
        Self { stop, thread }
    }

    /// Returns the peak since the start.
    pub(super) fn stop(self) -> anyhow::Result<Reading> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().map_err(|_| anyhow!("the gauge panicked"))
    }
}

/// The last number of the line `TCP: inuse 5 orphan 0 tw 2 alloc 7 mem 3`, which counts pages.
fn socket_memory() -> anyhow::Result<u64> {
    let text = fs::read_to_string("/proc/net/sockstat").context("reading /proc/net/sockstat")?;
    let line = text.lines().find_map(|line| line.strip_prefix("TCP:")).context("no TCP in sockstat")?;
    let (_, pages) = line.rsplit_once("mem ").context("no mem in sockstat")?;
    let page = sysconf(SysconfVar::PAGE_SIZE)?.context("no page size")?;
    Ok(pages.trim().parse::<u64>()? * u64::try_from(page)?)
}
