//! The limits of the cost of an attack: those that a service has to keep.

use crate::measure::Row;
use crate::measure::figure::{DELAY_P99, P99_RATIO, QUIET_P99, RSS_AFTER, RSS_BEFORE};

/// Limits of an attack.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// The most times that the p99 of honest delays may be of what it was.
    pub p99_ratio: f64,
    /// The most per cent of the memory before that may be left more after the attack.
    pub memory_percent: f64,
}

/// A limit, and whether it was kept.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Verdict {
    /// The limit and the numbers, in words.
    pub(super) words: String,
    pub(super) passes: bool,
}

impl Limits {
    /// The verdicts on an attack, as far as it was measured.
    pub(super) fn judge(&self, row: &Row) -> Vec<Verdict> {
        let median = |key: &str| row.figure(key).map(|spread| spread.median());
        let mut verdicts = Vec::new();
        if let (Some(before), Some(after)) = (median(RSS_BEFORE.key), median(RSS_AFTER.key)) {
            let limit = self.memory_percent;
            let words = format!("memory back within {limit} %: {before:.1} -> {after:.1} MiB");
            verdicts.push(Verdict { words, passes: after <= before * (1.0 + limit / 100.0) });
        }
        if let (Some(quiet), Some(attacked)) = (median(QUIET_P99.key), median(DELAY_P99.key)) {
            let (limit, ratio) = (self.p99_ratio, median(P99_RATIO.key).unwrap_or(attacked / quiet));
            let words =
                format!("honest p99 at most {limit} x: {:.1} -> {:.1} ms ({ratio:.1} x)", quiet / 1e3, attacked / 1e3);
            verdicts.push(Verdict { words, passes: ratio <= limit });
        }
        verdicts
    }
}

impl std::fmt::Display for Verdict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", if self.passes { "PASS" } else { "FAIL" }, self.words)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::Sample;

    fn row() -> Row {
        let (target, version, method) = (String::new(), String::new(), String::new());
        Row { target, version, method, flags: Vec::new(), figures: Vec::new(), faults: Vec::new() }
    }

    fn verdicts(rss: [f64; 2], p99: [f64; 2]) -> Vec<String> {
        let mut sample = Sample::default();
        sample.add(&RSS_BEFORE, rss[0]);
        sample.add(&RSS_AFTER, rss[1]);
        sample.add(&QUIET_P99, p99[0]);
        sample.add(&DELAY_P99, p99[1]);
        let mut row = row();
        row.take(sample);
        let limits = Limits { p99_ratio: 3.0, memory_percent: 10.0 };
        limits.judge(&row).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_limit_is_kept_up_to_its_value() {
        assert_eq!(
            verdicts([20.0, 22.0], [10_000.0, 30_000.0]),
            ["PASS memory back within 10 %: 20.0 -> 22.0 MiB", "PASS honest p99 at most 3 x: 10.0 -> 30.0 ms (3.0 x)"]
        );
        assert_eq!(
            verdicts([20.0, 22.1], [10_000.0, 30_100.0]),
            ["FAIL memory back within 10 %: 20.0 -> 22.1 MiB", "FAIL honest p99 at most 3 x: 10.0 -> 30.1 ms (3.0 x)"]
        );
    }

    #[test]
    fn what_was_not_measured_is_not_judged() {
        let limits = Limits { p99_ratio: 3.0, memory_percent: 10.0 };
        assert_eq!(limits.judge(&row()), []);
    }
}
