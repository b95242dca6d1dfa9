//! The figures on a terminal.

use anstyle::{AnsiColor, Style};

use super::figures::Figures;
use crate::notice::harmless;

const HEADINGS: [&str; 12] =
    ["SERVICE", "CLIENTS", "NEW/s", "PUB/s", "SENT/s", "P99", "LAG", "GAPS", "REFUSED/s", "HISTORY", "MEMORY", "CPU"];

/// Returns the lines of a table, and below it who reads slowly.
pub(super) fn table(services: &[Figures]) -> String {
    let rows: Vec<[String; 12]> = services.iter().map(row).collect();
    let widths: [usize; 12] = std::array::from_fn(|column| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.chain([HEADINGS[column].len()]).max().unwrap_or_default()
    });
    let line = |cells: [&str; 12]| {
        let cells = cells.into_iter().zip(widths).enumerate();
        let aligned = cells.map(|(column, (cell, width))| match column {
            0 => format!("{cell:<width$}"),
            _ => format!("{cell:>width$}"),
        });
        aligned.collect::<Vec<_>>().join("  ")
    };
    let (bold, red) = (Style::new().bold(), AnsiColor::Red.on_default());
    let mut lines = vec![format!("{bold}{}{bold:#}", line(HEADINGS))];
    for (figures, row) in services.iter().zip(&rows) {
        lines.push(match &figures.error {
            Some(error) => format!("{red}{}  {}{red:#}", row[0], harmless(error)),
            None => line(row.each_ref().map(String::as_str)),
        });
    }
    lines.extend(services.iter().flat_map(slow_readers));
    lines.join("\n")
}

fn row(figures: &Figures) -> [String; 12] {
    let mut name = figures.url.clone();
    for (is, note) in [(figures.draining, "shutting down"), (figures.backplane_up.map(|up| !up), "backplane down")] {
        if is == Some(true) {
            name.push_str(&format!(" ({note})"));
        }
    }
    [
        harmless(&name),
        number(figures.connections),
        number(figures.opened_per_second),
        number(figures.published_per_second),
        number(figures.delivered_per_second),
        seconds(figures.delivery_delay_p99_seconds),
        number(figures.lag_messages),
        number(figures.gaps),
        number(figures.rejected_per_second),
        number(figures.history_messages),
        bytes(figures.memory_bytes),
        figures.cpus.map_or_else(unknown, |cpus| format!("{:.0}%", cpus * 100.0)),
    ]
}

fn slow_readers(figures: &Figures) -> Vec<String> {
    let yellow = AnsiColor::Yellow.on_default();
    let readers = figures.slowest.iter().flatten();
    let lines = readers.map(|reader| {
        let who = reader.subject.as_deref().unwrap_or(&reader.address);
        let stalled = match reader.stalled_seconds {
            0 => String::new(),
            seconds => format!(", and has taken nothing for {seconds} s"),
        };
        let text = format!(
            "{} on {}: {} is {} messages behind{stalled}",
            figures.url,
            reader.topics.join(" "),
            who,
            reader.lag_messages
        );
        format!("{yellow}{}{yellow:#}", harmless(&text))
    });
    lines.collect()
}

fn unknown() -> String {
    "-".to_owned()
}

fn number(value: Option<f64>) -> String {
    match value {
        None => unknown(),
        Some(value) if value >= 1e6 => format!("{:.1}M", value / 1e6),
        Some(value) if value >= 1e4 => format!("{:.1}k", value / 1e3),
        Some(value) if value.fract() == 0.0 || value >= 100.0 => format!("{value:.0}"),
        Some(value) => format!("{value:.1}"),
    }
}

fn seconds(value: Option<f64>) -> String {
    match value {
        None => unknown(),
        Some(value) if value < 0.001 => format!("{:.0}µs", value * 1e6),
        Some(value) if value < 1.0 => format!("{:.0}ms", value * 1e3),
        Some(value) => format!("{value:.1}s"),
    }
}

fn bytes(value: Option<f64>) -> String {
    match value {
        None => unknown(),
        Some(value) => format!("{:.1}M", value / 1024.0 / 1024.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let there = Figures {
            url: "http://localhost:8080".to_owned(),
            connections: Some(12_345.0),
            published_per_second: Some(2.5),
            delivery_delay_p99_seconds: Some(0.0025),
            memory_bytes: Some(10_485_760.0),
            cpus: Some(0.5),
            ..Figures::default()
        };
        let away = Figures {
            url: "http://away".to_owned(),
            error: Some("cannot be reached".to_owned()),
            ..Figures::default()
        };
        let plain = anstream::adapter::strip_str(&table(&[there, away])).to_string();
        let lines: Vec<&str> = plain.lines().collect();
        assert!(lines[0].starts_with("SERVICE                CLIENTS  NEW/s"), "{plain}");
        assert!(lines[1].starts_with("http://localhost:8080    12.3k      -    2.5       -  2ms"), "{plain}");
        assert!(lines[1].ends_with("10.0M  50%"), "{plain}");
        assert_eq!(lines[2], "http://away  cannot be reached");
    }
}
