//! Many durations in three numbers.

use serde::Serialize;

/// Durations, summed up. In microseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Percentiles {
    /// How many there were.
    pub count: u64,
    /// Half of them were not longer.
    pub p50: u64,
    /// 99 of 100 were not longer.
    pub p99: u64,
    /// The longest.
    pub max: u64,
}

impl Percentiles {
    /// Sums up durations in microseconds.
    pub(crate) fn of(mut micros: Vec<u64>) -> Self {
        micros.sort_unstable();
        let Some(&max) = micros.last() else { return Self::default() };
        // The nearest rank: the smallest value that so many hundredths do not exceed.
        let rank = |hundredths: usize| micros[(micros.len() * hundredths).div_ceil(100).max(1) - 1];
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
