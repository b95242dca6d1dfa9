//! The figures that a backplane counts and measures, for those who run the service.
//!
//! A backplane counts in atomics of its own, and the service asks for all of them when its metrics are asked for.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The upper bounds by which times are counted, in seconds.
const BOUNDS: [f64; 11] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0, 5.0];

/// A figure at one moment.
#[derive(Debug, Clone, PartialEq)]
pub struct Figure {
    /// The name in the style of Prometheus, with its base unit, and without the prefix of the project and the `_total` of counters.
    pub name: &'static str,
    /// The meaning, in one sentence without a full stop.
    pub help: &'static str,
    /// The value.
    pub reading: Reading,
}

/// The value of a figure.
#[derive(Debug, Clone, PartialEq)]
pub enum Reading {
    /// A value that rises and falls.
    Gauge(u64),
    /// A value that only rises for as long as the process lives.
    Counter(u64),
    /// As `Counter`, for each value of a label.
    Counters {
        /// The name of the label.
        label: &'static str,
        /// The counts, by the values of the label, which are few.
        counts: Vec<(&'static str, u64)>,
    },
    /// Times, counted by their length.
    Histogram {
        /// The sum of all times, in seconds.
        sum: f64,
        /// The number of times up to each bound in seconds and above the bound before. The last bound is infinite.
        buckets: Vec<(f64, u64)>,
    },
}

impl Figure {
    /// A figure that rises and falls.
    pub fn gauge(name: &'static str, help: &'static str, value: u64) -> Self {
        Self { name, help, reading: Reading::Gauge(value) }
    }

    /// A figure that only rises.
    pub fn counter(name: &'static str, help: &'static str, value: &AtomicU64) -> Self {
        Self { name, help, reading: Reading::Counter(value.load(Ordering::Relaxed)) }
    }
}

/// Times, counted by their length. Any number of threads can add to them.
#[derive(Debug, Default)]
pub struct Times {
    /// By their bounds, and those beyond.
    counts: [AtomicU64; BOUNDS.len() + 1],
    nanos: AtomicU64,
}

impl Times {
    /// Adds a time.
    pub fn add(&self, time: Duration) {
        let seconds = time.as_secs_f64();
        let index = BOUNDS.iter().position(|bound| seconds <= *bound).unwrap_or(BOUNDS.len());
        self.counts[index].fetch_add(1, Ordering::Relaxed);
        self.nanos.fetch_add(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// The figure at this moment.
    pub fn figure(&self, name: &'static str, help: &'static str) -> Figure {
        let bounds = BOUNDS.into_iter().chain([f64::INFINITY]);
        let buckets = bounds.zip(&self.counts).map(|(bound, count)| (bound, count.load(Ordering::Relaxed))).collect();
        let sum = Duration::from_nanos(self.nanos.load(Ordering::Relaxed)).as_secs_f64();
        Figure { name, help, reading: Reading::Histogram { sum, buckets } }
    }
}

/// Reads of messages that memory does not hold: what every archive counts.
#[derive(Debug, Default)]
pub struct ArchiveReads {
    /// The times of those that have succeeded.
    pub times: Times,
    /// The number of those that have failed, and are tried again.
    pub failed: AtomicU64,
}

impl ArchiveReads {
    /// The figures at this moment.
    pub fn figures(&self) -> [Figure; 2] {
        [
            self.times.figure(
                "archive_read_seconds",
                "The time that reading a page of messages took which memory did not hold",
            ),
            Figure::counter(
                "archive_read_failures",
                "Attempts to read such a page that failed, after which clients wait for another one",
                &self.failed,
            ),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_counted_up_to_their_bounds() {
        let times = Times::default();
        for millis in [0, 1, 1, 50, 51, 60_000] {
            times.add(Duration::from_millis(millis));
        }
        let Reading::Histogram { sum, buckets } = times.figure("a", "b").reading else { panic!("a histogram") };
        let filled: Vec<_> = buckets.iter().filter(|(_, count)| *count > 0).copied().collect();
        assert_eq!(filled, [(0.0005, 1), (0.001, 2), (0.05, 1), (0.1, 1), (f64::INFINITY, 1)]);
        assert!((sum - 60.103).abs() < 1e-6, "{sum}");
    }
}
