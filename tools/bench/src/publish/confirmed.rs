//! The numbers of a measurement.

use std::time::{Duration, Instant};

use crate::histogram::Histogram;
use crate::measure::Sample;
use crate::measure::figure::*;
use crate::process::Process;

/// The time for which is published before a measurement begins.
pub(super) const WARM_UP: Duration = Duration::from_millis(300);

/// The beginning of a measurement.
#[derive(Debug)]
pub(super) struct Began {
    at: Instant,
    servers: Duration,
    generator: Duration,
}

impl Began {
    /// Begins now. `servers` are the processes whose CPU counts.
    pub(super) fn now(servers: &[Process]) -> anyhow::Result<Self> {
        Ok(Self { servers: cpu(servers)?, generator: Process::this().cpu()?, at: Instant::now() })
    }

    /// The numbers since then. `published` is the number of publications, all of which should be confirmed.
    pub(super) fn until_now(
        &self,
        servers: &[Process],
        published: u64,
        confirmations: &Histogram,
    ) -> anyhow::Result<Sample> {
        let wall = self.at.elapsed().as_secs_f64();
        let generator = Process::this().cpu()?.saturating_sub(self.generator);
        let servers = cpu(servers)?.saturating_sub(self.servers);
        let confirmed = confirmations.count();
        let micros = |time: Duration| time.as_secs_f64() * 1e6;
        let mut sample = Sample::default();
        sample.add(&PUBLICATIONS, confirmed as f64 / wall);
        sample.add(&CONFIRM_P50, micros(confirmations.percentile(50)));
        sample.add(&CONFIRM_P99, micros(confirmations.percentile(99)));
        sample.add(&CONFIRM_MAX, micros(confirmations.max()));
        sample.add(&CPU_PUBLICATION, micros(servers) / confirmed as f64);
        sample.add(&GENERATOR, 100.0 * generator.as_secs_f64() / wall);
        if confirmed != published {
            sample.faults.push(format!("{confirmed} of {published} publications were confirmed"));
        }
        Ok(sample)
    }
}

fn cpu(processes: &[Process]) -> anyhow::Result<Duration> {
    processes.iter().map(Process::cpu).sum()
}
