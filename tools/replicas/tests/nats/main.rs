//! Services that share one history through real NATS servers.

#![allow(missing_docs, clippy::unwrap_used)]

mod archive;
mod away;
mod cluster;
mod epoch;
mod figures;
mod fill;
mod publish;
mod rolling;
mod settings;
mod sharing;
mod traces;

/// The texts `{prefix}{number}`.
fn numbered(prefix: &str, numbers: std::ops::Range<usize>) -> Vec<String> {
    numbers.map(|number| format!("{prefix}{number}")).collect()
}
