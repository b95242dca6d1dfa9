//! Durations, summarised in three numbers.

use serde::Serialize;

/// The percentiles of many durations, in microseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Percentiles {
    /// The number of durations.
    pub count: u64,
    /// The median.
    pub p50: u64,
    /// The 99th percentile.
    pub p99: u64,
    /// The longest duration.
    pub max: u64,
}

impl Percentiles {
    /// Summarises durations in microseconds.
    pub(crate) fn of(mut micros: Vec<u64>) -> Self {
        micros.sort_unstable();
        let Some(&max) = micros.last() else { return Self::default() };
        // The nearest rank: the smallest value that this percentage of the values does not exceed.
        let rank = |percentage: usize| micros[(micros.len() * percentage).div_ceil(100).max(1) - 1];
        Self { count: micros.len() as u64, p50: rank(50), p99: rank(99), max }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_that_occurred() {
        assert_eq!(Percentiles::of(vec![]), Percentiles::default());
        assert_eq!(Percentiles::of(vec![7]), Percentiles { count: 1, p50: 7, p99: 7, max: 7 });
        let hundred = Percentiles::of((1..=100).rev().collect());
        assert_eq!(hundred, Percentiles { count: 100, p50: 50, p99: 99, max: 100 });
    }
}
