//! `bench compare`: the three methods on the same work.

use std::fmt::Write;

use clap::Args;

use crate::fanout::{self, WorkArgs};
use crate::measure::{Comparison, Protocol, Report, Rounds};
use crate::target::Method;

/// Measure the three methods one after the other on the same work, in one table
///
/// The measurement of each method is that of `fanout`; see there.
#[derive(Debug, Args)]
pub struct Compare {
    #[command(flatten)]
    work: WorkArgs,
    #[command(flatten)]
    rounds: Rounds,
}

/// The columns, with the keys of their figures.
const COLUMNS: [(&str, &str); 8] = [
    ("deliveries/s", "deliveries_per_second"),
    ("p50, us", "delay_p50_us"),
    ("p99, us", "delay_p99_us"),
    ("max, us", "delay_max_us"),
    ("CPU s/million", "cpu_s_per_million"),
    ("KiB/connection", "kib_per_connection"),
    ("bytes/message", "wire_bytes_per_message"),
    ("requests/message", "requests_per_message"),
];

/// The figure of which the ratio is shown.
const RATIO: &str = "cpu_s_per_million";

impl Compare {
    /// Runs the command. Returns whether every subscriber received every message.
    ///
    /// # Errors
    /// Fails when the measurement cannot be made.
    pub async fn run(self) -> anyhow::Result<bool> {
        let work = self.work.work();
        let report = self
            .rounds
            .run(&Comparison {
                command: "compare",
                work: work.words(),
                protocols: [Method::Ws, Method::Sse, Method::Poll].map(Protocol::Follow).to_vec(),
                clients: work.subscribers,
                descriptors: work.descriptors(),
                round: &|subject, protocol| match protocol {
                    Protocol::Follow(method) => fanout::round(&work, subject, method),
                    Protocol::Echo => anyhow::bail!("an echo has no subscribers"),
                },
            })
            .await?;
        self.rounds.show(&report, &table(&report))
    }
}

/// A line for each server and method with medians, and below it the minimum and maximum.
fn table(report: &Report) -> String {
    let mut text = String::new();
    let name = |row: &crate::measure::Row| format!("{} {}", row.target, row.method);
    let width = report.rows.iter().map(|row| name(row).len()).max().unwrap_or(0);
    // Writing to a string cannot fail.
    let _ = write!(text, "{:<width$}", "");
    for (label, _) in COLUMNS {
        let _ = write!(text, " {label:>17}");
    }
    let _ = writeln!(text, " {:>9}", "CPU ratio");
    let base = report.rows.first().and_then(|row| row.figure(RATIO)).map_or(f64::NAN, |spread| spread.median());
    for row in &report.rows {
        let (mut medians, mut ranges) = (format!("{:<width$}", name(row)), " ".repeat(width));
        for (_, key) in COLUMNS {
            let (median, range) = row.figure(key).map_or_else(Default::default, |spread| {
                let digits = spread.digits;
                let range = format!("{:.digits$}-{:.digits$}", spread.min(), spread.max());
                (format!("{:.digits$}", spread.median()), range)
            });
            let _ = write!(medians, " {median:>17}");
            let _ = write!(ranges, " {range:>17}");
        }
        let ratio = row.figure(RATIO).map_or(f64::NAN, |spread| spread.median() / base);
        let _ = writeln!(text, "{medians} {ratio:>9.2}\n{ranges}");
    }
    text
}
