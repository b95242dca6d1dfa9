//! `bench plot`: drawings of measurements.

mod bars;

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, ensure};
use clap::Args;

use crate::measure::{Report, Row, Spread};
use bars::{Bar, Chart, Group};

/// Draw figures of one or more JSON files as bars, as SVG
///
/// A group of bars for each method and number of clients, a bar for each server; a line shows the minimum and maximum of
/// the rounds. `bench plot cpu.json --figure cpu_us_per_delivery --svg cpu.svg`
#[derive(Debug, Args)]
pub struct Plot {
    /// Files that --json wrote
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// The name of a figure in JSON, such as cpu_us_per_delivery, delay_p99_us or kib_per_connection; may be repeated
    #[arg(long = "figure", value_name = "NAME", required = true)]
    figures: Vec<String>,
    /// The title [default: the figure]
    #[arg(long, value_name = "TEXT")]
    title: Option<String>,
    /// A logarithmic scale
    #[arg(long)]
    log: bool,
    /// The file to draw into
    #[arg(long, value_name = "FILE")]
    svg: PathBuf,
}

impl Plot {
    /// Runs the command.
    ///
    /// # Errors
    /// Fails when a file cannot be read or written, or has no such figure.
    pub fn run(self) -> anyhow::Result<bool> {
        let mut reports = Vec::new();
        for path in &self.files {
            let text = fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
            reports.push(serde_json::from_str(&text).with_context(|| format!("in {}", path.display()))?);
        }
        let chart = self.chart(&reports)?;
        let svg = chart.svg().context("drawing")?;
        fs::write(&self.svg, svg).with_context(|| format!("writing {}", self.svg.display()))?;
        Ok(true)
    }

    fn chart(&self, reports: &[Report]) -> anyhow::Result<Chart> {
        let mut chart = Chart { title: String::new(), log: self.log, servers: Vec::new(), groups: Vec::new() };
        let mut labels = Vec::new();
        for report in reports {
            for row in &report.rows {
                for key in &self.figures {
                    let Some(spread) = row.figure(key) else { continue };
                    if !labels.contains(&spread.label) {
                        labels.push(spread.label.clone());
                    }
                    let bar = chart.bar(row, spread);
                    let label = self.group(report, row, spread);
                    match chart.groups.iter_mut().find(|group| group.label == label) {
                        Some(group) => group.bars.push(bar),
                        None => chart.groups.push(Group { label, bars: vec![bar] }),
                    }
                }
            }
        }
        ensure!(!chart.groups.is_empty(), "none of the files has {}", self.figures.join(" or "));
        chart.title = self.title.clone().unwrap_or_else(|| labels.join("; "));
        Ok(chart)
    }

    /// The label below a group of bars.
    fn group(&self, report: &Report, row: &Row, spread: &Spread) -> String {
        let clients = thousands(report.clients);
        match self.figures.len() {
            1 => format!("{} {clients}", row.method),
            _ => format!("{} {clients} {}", row.method, spread.label.split(',').next().unwrap_or_default()),
        }
    }
}

impl Chart {
    fn bar(&mut self, row: &Row, spread: &Spread) -> Bar {
        let server = self.servers.iter().position(|name| *name == row.target).unwrap_or_else(|| {
            self.servers.push(row.target.clone());
            self.servers.len() - 1
        });
        Bar { server, median: spread.median(), min: spread.min(), max: spread.max(), digits: spread.digits }
    }
}

/// A number with commas, as in 10,000.
fn thousands(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_by_thousands() {
        assert_eq!([7, 999, 1000, 20_000, 1_234_567].map(thousands), ["7", "999", "1,000", "20,000", "1,234,567"]);
    }
}
