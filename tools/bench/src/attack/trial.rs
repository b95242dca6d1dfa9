//! One attack on one service: without it, with it, and after it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context;

use super::gauge::{Gauge, Reading};
use super::kind::Kind;
use super::probe::{Probe, Probes};
use super::site::Site;
use super::swarm::Swarm;
use crate::fanout::{AT_A_TIME, Work, crowd, judge};
use crate::histogram::Histogram;
use crate::load::{Crowd, PATIENCE, Pace, Tally};
use crate::measure::figure::*;
use crate::measure::{Figure, Sample, Subject};
use crate::process::Process;
use crate::service::Service;
use crate::target::Method;

/// The length of an honest message.
const BYTES: usize = 100;

/// The number of messages before the measurement begins.
const WARM_UP: u64 = 3;

/// The time between two looks at memory that falls, and at a service that stops.
const PAUSE: Duration = Duration::from_millis(100);

/// The time of the attack before the service is stopped.
const LEAD: Duration = Duration::from_secs(1);

/// The time for which memory does not fall that has settled.
const SETTLED: Duration = Duration::from_secs(5);

/// The work of honest clients, and the times.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The number of honest subscribers.
    pub subscribers: usize,
    /// The honest messages per second.
    pub rate: f64,
    /// The number of attackers, if not the usual one.
    pub attackers: Option<usize>,
    /// The time of a first attack of the same kind, after which memory is what the process takes once.
    pub warm_up: Duration,
    /// The time without an attack.
    pub quiet: Duration,
    /// The time of the attack.
    pub length: Duration,
    /// The longest time for memory and descriptors to fall.
    pub rest: Duration,
}

/// A service with its honest clients.
#[derive(Debug)]
pub(super) struct Trial {
    plan: Plan,
    kind: Kind,
    method: Method,
    address: SocketAddr,
    site: Arc<Site>,
    crowd: Crowd,
}

impl Plan {
    pub(super) fn words(&self) -> String {
        let Self { subscribers, rate, quiet, length, .. } = self;
        format!("{subscribers} honest subscribers, {rate} messages/s, quiet for {quiet:?}, attacked for {length:?}")
    }

    pub(super) fn attackers(&self, kind: Kind) -> usize {
        self.attackers.unwrap_or_else(|| kind.attackers())
    }

    /// The places that honest clients take.
    pub(super) fn places(&self) -> usize {
        self.work().descriptors()
    }

    fn work(&self) -> Work {
        Work {
            subscribers: self.subscribers,
            pace: Pace::Rate(self.rate),
            messages: u64::MAX,
            length: None,
            bytes: BYTES,
            patience: PATIENCE,
            pattern: None,
        }
    }
}

/// Measures an attack up to the rest after it.
///
/// # Errors
/// Fails when it cannot be measured. Messages that are lost and probes that are not answered are no error.
pub fn measure(
    plan: &Plan,
    kind: Kind,
    method: Method,
    site: &Arc<Site>,
    subject: &Subject<'_>,
) -> anyhow::Result<Sample> {
    let mut sample = Sample::default();
    Trial::begin(plan, kind, method, site, subject)?.run(subject, &mut sample)?;
    Ok(sample)
}

impl Trial {
    /// Fills the history and connects the honest clients.
    pub(super) fn begin(
        plan: &Plan,
        kind: Kind,
        method: Method,
        site: &Arc<Site>,
        subject: &Subject<'_>,
    ) -> anyhow::Result<Self> {
        kind.history().fill(subject.address, &subject.door)?;
        let mut crowd = crowd(&plan.work(), subject, method, false)?;
        crowd.connect(AT_A_TIME)?;
        crowd.connect_lanes()?;
        crowd.allow_refusals();
        crowd.publish(Pace::InFlight(1), WARM_UP, None)?;
        subject.settle(&mut crowd)?;
        let site = Arc::clone(site);
        Ok(Self { plan: plan.clone(), kind, method, address: subject.address, site, crowd })
    }

    /// Measures without the attack, with it, and after it.
    pub(super) fn run(&mut self, subject: &Subject<'_>, sample: &mut Sample) -> anyhow::Result<()> {
        self.warm_up(subject)?;
        let before = Reading::of(&subject.process)?;
        let (quiet, probes) = self.phase(self.plan.quiet).context("before the attack")?;
        delays(sample, [&QUIET_P50, &QUIET_P99, &QUIET_MAX], &quiet.delays);
        delays(sample, [&QUIET_PROBE_P50, &QUIET_PROBE_P99, &QUIET_PROBE_MAX], &probes.delays);
        failures(sample, &probes, "before the attack");

        let this = Process::this();
        let gauge = Gauge::start(subject.process.clone());
        let swarm = self.swarm()?;
        let (began, cpu) = (Instant::now(), (subject.process.cpu()?, this.cpu()?));
        let phase = self.phase(self.plan.length).context("during the attack");
        let wall = began.elapsed();
        let cpu = (subject.process.cpu()?.saturating_sub(cpu.0), this.cpu()?.saturating_sub(cpu.1));
        let (ground, peak) = (swarm.stop()?, gauge.stop()?);
        let (mut tally, probes) = phase?;
        let rest = self.rest(subject, &before)?;
        // Some messages may have come only after the attack.
        let late = self.crowd.late();
        tally.delays.merge(&late.delays);
        tally.refused += late.refused;

        delays(sample, [&DELAY_P50, &DELAY_P99, &DELAY_MAX], &tally.delays);
        if let (Some(quiet), Some(attacked)) = (sample.get(QUIET_P99.key), sample.get(DELAY_P99.key)) {
            sample.add(&P99_RATIO, attacked / quiet);
        }
        delays(sample, [&PROBE_P50, &PROBE_P99, &PROBE_MAX], &probes.delays);
        sample.add(&PROBES, probes.answered as f64);
        sample.add(&PROBES_FAILED, probes.failed as f64);
        failures(sample, &probes, "during the attack");
        judge(sample, &self.crowd);
        sample.add(&REFUSED, tally.refused as f64);
        sample.add(&BEHIND, tally.behind.as_secs_f64() * 1e3);
        sample.add(&ATTACK_CONNECTIONS, ground.toll.connections() as f64);
        sample.add(&ATTACK_ANSWERS, ground.toll.served() as f64);
        sample.add(&ATTACK_REFUSALS, ground.toll.refused() as f64);
        sample.add(&ATTACK_ENDED, ground.toll.ended() as f64);
        if self.kind.has_to_be_refused() && ground.toll.served() > 0 {
            sample.faults.push(format!("{} requests were served that have to be refused", ground.toll.served()));
        }
        let percent = |cpu: Duration| 100.0 * cpu.as_secs_f64() / wall.as_secs_f64();
        sample.add(&SERVER_LOAD, percent(cpu.0));
        sample.add(&GENERATOR, percent(cpu.1));
        sample.add(&REST, rest.as_secs_f64());
        held(sample, [before, peak, Reading::of(&subject.process)?]);
        Ok(())
    }

    /// Stops the service while it is attacked. Returns the time from SIGTERM until it has exited.
    pub(super) async fn stop(mut self, service: Service) -> anyhow::Result<Duration> {
        let swarm = self.swarm()?;
        tokio::task::block_in_place(|| self.crowd.wait(LEAD))?;
        // They would come back again and again to a service that is shutting down.
        self.crowd.disconnect_lanes();
        let stopped = Arc::new(AtomicBool::new(false));
        let honest = Arc::clone(&stopped);
        let mut crowd = self.crowd;
        // Honest subscribers read to the end, and close their side.
        let reading = tokio::task::spawn_blocking(move || {
            while !honest.load(Ordering::Relaxed) {
                crowd.wait(PAUSE)?;
            }
            anyhow::Ok(())
        });
        let began = Instant::now();
        let ended = service.stop().await;
        let exit = began.elapsed();
        stopped.store(true, Ordering::Relaxed);
        reading.await??;
        swarm.stop()?;
        ended?;
        Ok(exit)
    }

    fn swarm(&self) -> anyhow::Result<Swarm> {
        Swarm::start(self.kind, self.plan.attackers(self.kind), self.address, self.method, &self.site)
    }

    /// Publishes and asks `/livez` for so long.
    fn phase(&mut self, length: Duration) -> anyhow::Result<(Tally, Probes)> {
        let probe = Probe::start(self.address, self.site.door().clone());
        let tally = self.crowd.publish(Pace::Rate(self.plan.rate), u64::MAX, Some(length));
        let probes = probe.stop()?;
        Ok((tally?, probes))
    }

    /// Attacks for a short time, and until the history is full that the attack fills. Then the server gives back what it does not keep.
    fn warm_up(&mut self, subject: &Subject<'_>) -> anyhow::Result<()> {
        let swarm = self.swarm()?;
        let began = Instant::now();
        self.crowd.wait(self.plan.warm_up)?;
        while swarm.served() < self.kind.requests_to_fill() && began.elapsed() < self.plan.rest {
            self.crowd.wait(PAUSE)?;
        }
        swarm.stop()?;
        let (began, mut lowest) = (Instant::now(), Reading::of(&subject.process)?);
        let mut fallen = began;
        while began.elapsed() < self.plan.rest && fallen.elapsed() < SETTLED {
            self.crowd.wait(PAUSE)?;
            let reading = Reading::of(&subject.process)?;
            if reading.is_below(&lowest) {
                (lowest, fallen) = (reading, Instant::now());
            }
        }
        Ok(())
    }

    /// Waits until the server has given back what it took, and honest subscribers have every message.
    fn rest(&mut self, subject: &Subject<'_>, before: &Reading) -> anyhow::Result<Duration> {
        let began = Instant::now();
        while began.elapsed() < self.plan.rest
            && (self.crowd.faults().missing > 0 || !Reading::of(&subject.process)?.has_fallen_to(before))
        {
            self.crowd.wait(PAUSE)?;
        }
        Ok(began.elapsed())
    }
}

/// Adds the 50th and 99th percentile and the maximum, if there are any delays.
fn delays(sample: &mut Sample, figures: [&'static Figure; 3], delays: &Histogram) {
    if delays.count() > 0 {
        let values = [delays.percentile(50), delays.percentile(99), delays.max()];
        figures.into_iter().zip(values).for_each(|(figure, delay)| sample.add(figure, delay.as_secs_f64() * 1e6));
    }
}

/// Adds what the server held before the attack, at its peak, and after it.
fn held(sample: &mut Sample, readings: [Reading; 3]) {
    let figures = [
        [&RSS_BEFORE, &DESCRIPTORS_BEFORE, &SOCKETS_BEFORE],
        [&RSS_PEAK, &DESCRIPTORS_PEAK, &SOCKETS_PEAK],
        [&RSS_AFTER, &DESCRIPTORS_AFTER, &SOCKETS_AFTER],
    ];
    let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    for ([rss, descriptors, sockets], reading) in figures.into_iter().zip(readings) {
        sample.add(rss, mib(reading.rss));
        sample.add(descriptors, reading.descriptors as f64);
        sample.add(sockets, mib(reading.sockets));
    }
}

fn failures(sample: &mut Sample, probes: &Probes, when: &str) {
    if let Some(why) = &probes.why {
        sample.faults.push(format!(
            "{} of {} probes failed {when}: {why}",
            probes.failed,
            probes.failed + probes.answered
        ));
    }
}
