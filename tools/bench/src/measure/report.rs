//! The results, for people and as JSON.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use anyhow::Context;
use serde::{Deserialize, Serialize};

use super::comparison::Comparison;
use super::figure::Sample;
use super::peer::{Peer, Protocol};

/// The results of a command.
#[derive(Debug, Serialize, Deserialize)]
pub struct Report {
    /// The version of this program.
    pub bench: String,
    /// The command.
    pub command: String,
    /// The work, in words.
    pub work: String,
    /// The number of clients.
    pub clients: usize,
    /// The arguments of this program.
    pub arguments: Vec<String>,
    /// The machine.
    pub machine: Machine,
    /// The number of rounds.
    pub rounds: u32,
    /// A row for each server and method.
    pub rows: Vec<Row>,
}

/// The machine on which it was measured.
#[derive(Debug, Serialize, Deserialize)]
pub struct Machine {
    /// The model of the processor.
    pub processor: String,
    /// The number of processors.
    pub processors: usize,
    /// The kernel's version.
    pub kernel: String,
}

/// The results of one server by one method.
#[derive(Debug, Serialize, Deserialize)]
pub struct Row {
    /// The server.
    pub target: String,
    /// Its version.
    pub version: String,
    /// The method, or `echo`.
    pub method: String,
    /// The flags that the user gave it.
    pub flags: Vec<String>,
    /// The numbers, in the order in which they are shown.
    pub figures: Vec<Spread>,
    /// The faults.
    pub faults: Vec<String>,
}

/// One number over all rounds.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Spread {
    /// Its name.
    pub key: String,
    /// Its name in tables.
    pub label: String,
    /// The number of digits after the point.
    pub digits: usize,
    /// The value of each round.
    pub values: Vec<f64>,
}

impl Spread {
    /// The median.
    pub fn median(&self) -> f64 {
        let mut sorted = self.values.clone();
        sorted.sort_by(f64::total_cmp);
        match sorted.len() {
            0 => f64::NAN,
            count if count % 2 == 1 => sorted[count / 2],
            count => f64::midpoint(sorted[count / 2 - 1], sorted[count / 2]),
        }
    }

    /// The minimum.
    pub fn min(&self) -> f64 {
        self.values.iter().copied().fold(f64::INFINITY, f64::min)
    }

    /// The maximum.
    pub fn max(&self) -> f64 {
        self.values.iter().copied().fold(f64::NEG_INFINITY, f64::max)
    }
}

impl Row {
    pub(crate) fn new(peer: &Peer, protocol: Protocol) -> Self {
        let method = match protocol {
            Protocol::Follow(method) => method.name(),
            Protocol::Echo => "echo",
        };
        Self {
            target: peer.target.name.clone(),
            version: peer.target.version(),
            method: method.to_owned(),
            flags: peer.flags().to_vec(),
            figures: Vec::new(),
            faults: Vec::new(),
        }
    }

    /// Adds the numbers of a round.
    pub fn take(&mut self, sample: Sample) {
        for (figure, value) in sample.figures {
            match self.figures.iter_mut().find(|spread| spread.key == figure.key) {
                Some(spread) => spread.values.push(value),
                None => self.figures.push(Spread {
                    key: figure.key.to_owned(),
                    label: figure.label.to_owned(),
                    digits: figure.digits,
                    values: vec![value],
                }),
            }
        }
        self.faults.extend(sample.faults);
    }

    /// A number.
    pub fn figure(&self, key: &str) -> Option<&Spread> {
        self.figures.iter().find(|spread| spread.key == key)
    }
}

impl Report {
    pub(crate) fn new(comparison: &Comparison<'_>, rounds: u32, rows: Vec<Row>) -> Self {
        Self {
            bench: env!("CARGO_PKG_VERSION").to_owned(),
            command: comparison.command.to_owned(),
            work: comparison.work.clone(),
            clients: comparison.clients,
            arguments: std::env::args().skip(1).collect(),
            machine: Machine::this(),
            rounds,
            rows,
        }
    }

    /// Prints the report and writes it as JSON. Returns whether there were no faults.
    pub(crate) fn show(&self, table: &str, json: Option<&Path>) -> anyhow::Result<bool> {
        println!("{table}");
        for row in &self.rows {
            for fault in &row.faults {
                println!("FAILED: {} ({}): {fault}", row.target, row.method);
            }
        }
        if let Some(path) = json {
            let json = serde_json::to_string_pretty(self)?;
            fs::write(path, json + "\n").with_context(|| format!("writing {}", path.display()))?;
        }
        Ok(self.rows.iter().all(|row| row.faults.is_empty()))
    }

    /// A table with a line for each number and server: the median, minimum and maximum, and the ratio to the first
    /// server.
    pub fn table(&self) -> String {
        let name = |row: &Row| format!("{} {}", row.target, row.method);
        let width = self.rows.iter().map(|row| name(row).len()).max().unwrap_or(0);
        let mut text = String::new();
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{:<36} {:<width$} {:>12}   {:<25} {:>7}", "", "", "median", "min - max", "ratio");
        let Some(first) = self.rows.first() else { return text };
        for spread in &first.figures {
            for (index, row) in self.rows.iter().enumerate() {
                let Some(own) = row.figure(&spread.key) else { continue };
                let base =
                    self.rows.iter().find(|other| other.method == row.method).and_then(|row| row.figure(&spread.key));
                let ratio = base.map_or(f64::NAN, |base| own.median() / base.median());
                let ratio = if ratio.is_finite() { format!("{ratio:.2}") } else { "-".to_owned() };
                let label = if index == 0 { spread.label.as_str() } else { "" };
                let digits = spread.digits;
                let range = format!("{:.digits$} - {:.digits$}", own.min(), own.max());
                let (name, median) = (name(row), own.median());
                let _ = writeln!(text, "{label:<36} {name:<width$} {median:>12.digits$}   {range:<25} {ratio:>7}");
            }
        }
        text
    }
}

impl Machine {
    pub(crate) fn this() -> Self {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let processor = read("/proc/cpuinfo")
            .lines()
            .find_map(|line| line.strip_prefix("model name")?.split_once(": ").map(|(_, name)| name.to_owned()));
        Self {
            processor: processor.unwrap_or_else(|| "unknown".to_owned()),
            processors: std::thread::available_parallelism().map_or(0, usize::from),
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spread(values: &[f64]) -> Spread {
        Spread { key: "k".to_owned(), label: "l".to_owned(), digits: 1, values: values.to_vec() }
    }

    #[test]
    fn a_median_lies_in_the_middle() {
        assert!((spread(&[3.0, 1.0, 2.0]).median() - 2.0).abs() < 1e-9);
        assert!((spread(&[4.0, 1.0, 2.0, 3.0]).median() - 2.5).abs() < 1e-9);
        assert!((spread(&[4.0, 1.0]).max() - 4.0).abs() < 1e-9);
        assert!((spread(&[4.0, 1.0]).min() - 1.0).abs() < 1e-9);
    }
}
