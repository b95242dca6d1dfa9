//! Deliveries to clients, counted.
//!
//! All threads deliver all the time, so each counts in memory of its own, and the sums are made when they are asked for: a counter that
//! threads share costs each of them a wait for the other's cache.

use std::cell::Cell;
use std::fmt;
use std::mem;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::registry::Unit;
use shared::gap::Gap;
use shared::hub::{Batch, EncodedBatch, Entry, Tally};

/// The number of parts. More threads than that share them.
const PARTS: usize = 16;

/// The upper bounds of delays, in nanoseconds.
const BOUNDS: [u64; 14] = [
    100_000,
    250_000,
    500_000,
    1_000_000,
    2_500_000,
    5_000_000,
    10_000_000,
    25_000_000,
    50_000_000,
    100_000_000,
    250_000_000,
    1_000_000_000,
    5_000_000_000,
    30_000_000_000,
];

/// A delivery: the messages that a client is sent at once.
#[derive(Debug, Clone, Default)]
pub struct Delivery {
    /// The gap that is reported to it.
    pub(crate) gap: Option<Gap>,
    pub(crate) tally: Tally,
    /// The bytes of the messages, in the form of the method.
    pub(super) bytes: usize,
}

impl Delivery {
    /// A batch whose messages are sent as they are.
    pub fn encoded(batch: &mut EncodedBatch) -> Self {
        Self { gap: batch.gap, tally: mem::take(&mut batch.tally), bytes: batch.bytes.len() }
    }

    /// A batch whose messages, with what is between them, take so many bytes.
    pub fn page(batch: &Batch, bytes: usize) -> Self {
        Self { gap: batch.gap, tally: batch.tally.clone(), bytes }
    }

    /// One message, which takes so many bytes and may have waited in a queue.
    pub fn queued(entry: &Arc<Entry>, bytes: usize) -> Self {
        Self { gap: None, tally: Tally { appended: None, ..Tally::of_one(entry, true) }, bytes }
    }
}

/// The sums.
#[derive(Default)]
pub(super) struct Deliveries {
    parts: [Part; PARTS],
}

/// A part of the sums, alone in its lines of the cache.
#[derive(Default)]
#[repr(align(128))]
struct Part {
    messages: AtomicU64,
    replayed: AtomicU64,
    bytes: AtomicU64,
    /// By their bounds, and those beyond.
    delays: [AtomicU64; BOUNDS.len() + 1],
    delay_nanos: AtomicU64,
}

impl Deliveries {
    pub(super) fn count(&self, Delivery { tally, bytes, .. }: &Delivery) {
        if tally.messages == 0 {
            return;
        }
        let part = self.part();
        part.messages.fetch_add(tally.messages.into(), Ordering::Relaxed);
        part.bytes.fetch_add(*bytes as u64, Ordering::Relaxed);
        if tally.replayed > 0 {
            part.replayed.fetch_add(tally.replayed.into(), Ordering::Relaxed);
        }
    }

    pub(super) fn measure_delay(&self, delay: Duration) {
        let nanos = u64::try_from(delay.as_nanos()).unwrap_or(u64::MAX);
        let index = BOUNDS.iter().position(|bound| nanos <= *bound).unwrap_or(BOUNDS.len());
        let part = self.part();
        part.delays[index].fetch_add(1, Ordering::Relaxed);
        part.delay_nanos.fetch_add(nanos, Ordering::Relaxed);
    }

    /// The part of this thread.
    fn part(&self) -> &Part {
        static THREADS: AtomicUsize = AtomicUsize::new(0);
        thread_local! {
            static THREAD: Cell<usize> = Cell::new(THREADS.fetch_add(1, Ordering::Relaxed) % PARTS);
        }
        &self.parts[THREAD.get()]
    }

    fn sum(&self, of: impl Fn(&Part) -> &AtomicU64) -> u64 {
        self.parts.iter().map(|part| of(part).load(Ordering::Relaxed)).sum()
    }
}

impl Collector for Deliveries {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut counter = |name, help, unit: Option<&Unit>, value: u64| {
            ConstCounter::new(value).encode(encoder.encode_descriptor(name, help, unit, MetricType::Counter)?)
        };
        counter("delivered_messages", "Messages that clients were sent", None, self.sum(|part| &part.messages))?;
        let help = "The bytes of those, in the form of the method, without heads and heartbeats";
        counter("delivered", help, Some(&Unit::Bytes), self.sum(|part| &part.bytes))?;
        let help = "Those among them that had been published before their client followed their topic";
        counter("replayed_messages", help, None, self.sum(|part| &part.replayed))?;

        let help =
            "The time from the append of the newest message of a write to its end, of messages that are not replayed";
        let mut histogram =
            encoder.encode_descriptor("delivery_delay", help, Some(&Unit::Seconds), MetricType::Histogram)?;
        let seconds = |nanos: u64| Duration::from_nanos(nanos).as_secs_f64();
        let bounds = BOUNDS.map(seconds).into_iter().chain([f64::INFINITY]);
        let buckets: Vec<(f64, u64)> =
            bounds.enumerate().map(|(index, bound)| (bound, self.sum(|part| &part.delays[index]))).collect();
        let count = buckets.iter().map(|(_, count)| count).sum();
        histogram.encode_histogram::<NoLabelSet>(seconds(self.sum(|part| &part.delay_nanos)), count, &buckets, None)
    }
}

impl fmt::Debug for Deliveries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Deliveries").finish_non_exhaustive()
    }
}
