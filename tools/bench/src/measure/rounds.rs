//! Several rounds over several servers in turn, so that whatever else the machine does affects all of them.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, ensure};
use clap::Args;

use super::comparison::Comparison;
use super::peer::{Peer, Subject};
use super::report::{Report, Row};
use crate::load::Door;
use crate::process;

/// The options of every measurement.
#[derive(Debug, Args)]
pub(crate) struct Rounds {
    /// A server: `push` (this repository's), `push=DIR` (the same, built elsewhere: the folder of its programs), `limit`
    /// (one thread, epoll, one write per message and client), or the path of a description, see tools/bench/targets. May
    /// be repeated; ratios are to the first
    #[arg(long = "target", value_name = "TARGET", default_value = "push")]
    targets: Vec<String>,
    /// The number of rounds; medians are shown, with minimum and maximum
    #[arg(long, value_name = "K", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Write all numbers as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Flags for this repository's services, such as `-- --history 20`
    #[arg(last = true, value_name = "FLAG")]
    flags: Vec<String>,
}

/// The time after which a server is measured although it does not settle.
const RESTLESS: Duration = Duration::from_secs(10);

/// Descriptors beside those of connections.
const OTHER_DESCRIPTORS: usize = 100;

impl Rounds {
    /// Measures. Servers that do not have a method are left out.
    pub(crate) async fn run(&self, comparison: &Comparison<'_>) -> anyhow::Result<Report> {
        let peers =
            self.targets.iter().map(|name| Peer::named(name, &self.flags)).collect::<anyhow::Result<Vec<_>>>()?;
        let allowed = rlimit::increase_nofile_limit(u64::MAX).context("cannot read the descriptor limit")?;
        let needed = (comparison.descriptors + OTHER_DESCRIPTORS) as u64;
        ensure!(needed <= allowed, "this needs about {needed} open files and the system allows {allowed}");
        println!("{}: {}, {} rounds", comparison.command, comparison.work, self.rounds);
        println!("server CPU from {}\n", process::cpu_source());
        let mut rows = Vec::new();
        for &protocol in &comparison.protocols {
            for peer in &peers {
                if peer.route(protocol).is_ok() {
                    rows.push((peer, protocol, Row::new(peer, protocol)));
                }
            }
        }
        ensure!(!rows.is_empty(), "none of the targets has this method");
        for _ in 0..self.rounds {
            for (peer, protocol, row) in &mut rows {
                let service = peer.start(*protocol).await?;
                let (address, process) = (service.address(), service.process()?);
                let subject =
                    Subject { target: &peer.target, address, door: Door::default(), process, restless: RESTLESS };
                let name = format!("{} ({})", row.target, row.method);
                let sample =
                    tokio::task::block_in_place(|| (comparison.round)(&subject, *protocol)).with_context(|| name)?;
                service.stop().await?;
                row.take(sample);
            }
        }
        let rows = rows.into_iter().map(|(_, _, row)| row).collect();
        Ok(Report::new(comparison, self.rounds, rows))
    }

    /// Prints a report and writes it as JSON. Returns whether there were no faults.
    pub(crate) fn show(&self, report: &Report, table: &str) -> anyhow::Result<bool> {
        report.show(table, self.json.as_deref())
    }
}
