//! Very many durations in little memory.

use std::time::Duration;

/// The number of buckets for each power of two, and so the relative precision of a value.
const PARTS: u64 = 128;

/// Counts durations by their length, with an error below 1 %.
#[derive(Debug, Clone)]
pub(crate) struct Histogram {
    counts: Vec<u64>,
    total: u64,
    max: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { counts: vec![0; bucket(u64::MAX) + 1], total: 0, max: 0 }
    }
}

impl Histogram {
    /// Counts a duration in nanoseconds.
    pub(crate) fn add(&mut self, nanos: u64) {
        self.counts[bucket(nanos)] += 1;
        self.total += 1;
        self.max = self.max.max(nanos);
    }

    /// Adds what another one has counted.
    pub(crate) fn merge(&mut self, other: &Self) {
        self.counts.iter_mut().zip(&other.counts).for_each(|(count, more)| *count += more);
        self.total += other.total;
        self.max = self.max.max(other.max);
    }

    /// The shortest duration that this percentage of durations does not exceed. Zero if there are none.
    pub(crate) fn percentile(&self, percentage: u64) -> Duration {
        let rank = (self.total * percentage).div_ceil(100).max(1);
        let mut seen = 0;
        for (index, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= rank {
                return Duration::from_nanos(upper(index).min(self.max));
            }
        }
        Duration::ZERO
    }

    /// The longest duration.
    pub(crate) fn max(&self) -> Duration {
        Duration::from_nanos(self.max)
    }

    /// The number of durations.
    pub(crate) fn count(&self) -> u64 {
        self.total
    }
}

/// Values below `2 * PARTS` have a bucket each; above, only the leading bits count.
fn bucket(value: u64) -> usize {
    let shift = (u64::BITS - value.leading_zeros()).saturating_sub(PARTS.trailing_zeros() + 1);
    (u64::from(shift) * PARTS + (value >> shift)) as usize
}

/// The largest value of a bucket.
fn upper(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    let shift = (bucket / PARTS).saturating_sub(1);
    (((bucket - shift * PARTS) + 1) << shift) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_close_and_the_longest_is_exact() {
        let mut histogram = Histogram::default();
        assert_eq!(histogram.percentile(50), Duration::ZERO);
        for micros in 1..=100_000 {
            histogram.add(micros * 1000);
        }
        for (percentage, expected) in [(1, 1.0), (50, 50.0), (99, 99.0)] {
            let found = histogram.percentile(percentage).as_secs_f64() * 1e3;
            assert!(found >= expected && found <= expected * 1.01, "{percentage}: {found}");
        }
        assert_eq!(histogram.max(), Duration::from_millis(100));
        assert_eq!(histogram.percentile(100), histogram.max());
        assert_eq!(histogram.count(), 100_000);
    }

    #[test]
    fn merged_histograms_are_as_one() {
        let (mut merged, mut other, mut one) = (Histogram::default(), Histogram::default(), Histogram::default());
        for nanos in [1, 500, 70_000, 9_000_000] {
            merged.add(nanos);
            other.add(nanos * 3);
            one.add(nanos);
            one.add(nanos * 3);
        }
        merged.merge(&other);
        assert_eq!((merged.counts, merged.total, merged.max), (one.counts, one.total, one.max));
    }

    #[test]
    fn every_value_lies_in_its_bucket() {
        for value in (0..5000).chain((13..63).flat_map(|bit| [(1 << bit) - 1, 1 << bit, (1 << bit) + 1])) {
            let index = bucket(value);
            assert!(value <= upper(index), "{value}");
            assert!(index == 0 || value > upper(index - 1), "{value}");
        }
    }
}
