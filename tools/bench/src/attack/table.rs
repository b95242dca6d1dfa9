//! The results for people: a table for each attack, and a line for each in the end.

use std::fmt::Write;

use super::limits::Limits;
use crate::measure::Row;

/// A line with the value before the attack, during it, and the ratio.
const COMPARED: [(&str, &str, &str); 6] = [
    ("honest delay p50, ms", "quiet_delay_p50_us", "delay_p50_us"),
    ("honest delay p99, ms", "quiet_delay_p99_us", "delay_p99_us"),
    ("honest delay max, ms", "quiet_delay_max_us", "delay_max_us"),
    ("/livez p50, ms", "quiet_probe_p50_us", "probe_p50_us"),
    ("/livez p99, ms", "quiet_probe_p99_us", "probe_p99_us"),
    ("/livez max, ms", "quiet_probe_max_us", "probe_max_us"),
];

/// A line with the value before the attack, its peak, and the value after it.
const HELD: [(&str, [&str; 3]); 3] = [
    ("server RSS, MiB", ["rss_before_mib", "rss_peak_mib", "rss_after_mib"]),
    ("descriptors", ["descriptors_before", "descriptors_peak", "descriptors_after"]),
    ("socket memory, MiB", ["socket_memory_before_mib", "socket_memory_peak_mib", "socket_memory_after_mib"]),
];

/// A line with one value.
const COUNTED: [&str; 15] = [
    "missing",
    "repeated",
    "out_of_order",
    "publications_refused",
    "publish_behind_ms",
    "probes",
    "probes_failed",
    "attack_connections",
    "attack_answers",
    "attack_refusals",
    "attack_ended",
    "server_cpu_percent",
    "generator_cpu_percent",
    "rest_s",
    "exit_s",
];

/// The columns of the summary, with the factor by which a value is shown.
const SUMMARY: [(&str, &str, f64, usize); 11] = [
    ("p99 quiet, ms", "quiet_delay_p99_us", 1e-3, 1),
    ("p99, ms", "delay_p99_us", 1e-3, 1),
    ("ratio", "delay_p99_ratio", 1.0, 1),
    ("max, ms", "delay_max_us", 1e-3, 1),
    ("/livez max", "probe_max_us", 1e-3, 1),
    ("failed", "probes_failed", 1.0, 0),
    ("missing", "missing", 1.0, 0),
    ("refused", "publications_refused", 1.0, 0),
    ("RSS peak", "rss_peak_mib", 1.0, 1),
    ("RSS after", "rss_after_mib", 1.0, 1),
    ("exit, s", "exit_s", 1.0, 2),
];

fn value(row: &Row, key: &str) -> f64 {
    row.figure(key).map_or(f64::NAN, |spread| spread.median())
}

/// A number, or a dash where there is none.
fn cell(value: f64, digits: usize) -> String {
    if value.is_finite() { format!("{value:.digits$}") } else { "-".to_owned() }
}

/// The table of one attack on one service, and which limits it kept.
pub fn table(row: &Row, limits: &Limits) -> String {
    let mut text = format!("{} ({})\n", row.method, row.target);
    // Writing to a string cannot fail.
    let mut line = |cells: [&str; 4]| {
        let [label, first, second, third] = cells;
        let line = format!("{label:<38} {first:>10} {second:>10} {third:>10}");
        let _ = writeln!(text, "{}", line.trim_end());
    };
    line(["", "quiet", "attacked", "ratio"]);
    for (label, quiet, attacked) in COMPARED {
        let (quiet, attacked) = (value(row, quiet), value(row, attacked));
        line([label, &cell(quiet / 1e3, 2), &cell(attacked / 1e3, 2), &cell(attacked / quiet, 1)]);
    }
    line(["", "before", "peak", "after"]);
    for (label, keys) in HELD {
        let [before, peak, after] = keys.map(|key| {
            let digits = row.figure(key).map_or(0, |spread| spread.digits);
            cell(value(row, key), digits)
        });
        line([label, &before, &peak, &after]);
    }
    for key in COUNTED {
        if let Some(spread) = row.figure(key) {
            line([&spread.label, &cell(spread.median(), spread.digits), "", ""]);
        }
    }
    for verdict in limits.judge(row) {
        let _ = writeln!(text, "{verdict}");
    }
    text
}

/// A line for each attack and service.
pub(super) fn summary(rows: &[Row]) -> String {
    let name = |row: &Row| format!("{} {}", row.method, row.target);
    let width = rows.iter().map(|row| name(row).len()).max().unwrap_or(0);
    let mut text = " ".repeat(width);
    for (label, ..) in SUMMARY {
        // Writing to a string cannot fail.
        let _ = write!(text, " {label:>13}");
    }
    text.push('\n');
    for row in rows {
        let _ = write!(text, "{:<width$}", name(row));
        for (_, key, factor, digits) in SUMMARY {
            let _ = write!(text, " {:>13}", cell(value(row, key) * factor, digits));
        }
        text.push('\n');
    }
    text
}
