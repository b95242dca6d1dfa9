//! `cargo xtask up`: the three services in one terminal.

use std::{
    ffi::OsString,
    sync::mpsc::{self, Receiver},
    time::Duration,
};

use anyhow::{Context, ensure};
use clap::Args;
use nix::sys::signal::Signal;

use crate::{
    output::Prefix,
    service::{Service, ended_well},
    workspace::{self, SERVICES},
};

/// ANSI's cyan, yellow and magenta, and bold for what this task says itself.
const COLOURS: [u8; 3] = [36, 33, 35];
const OWN_COLOUR: u8 = 1;

/// How soon the end of a service is noticed.
const LOOK: Duration = Duration::from_millis(50);

/// Builds the three services, runs them and shows what they log; Ctrl-C stops them
///
/// Every line is preceded by the name of the service that wrote it. Ctrl-C (or SIGTERM) has the services end in good
/// order, within their drain window; a second Ctrl-C kills them. If one ends by itself, because its port is taken, say,
/// the other two are stopped and the exit code is not 0.
#[derive(Debug, Args)]
pub(crate) struct Up {
    /// Build with optimisation, as for production
    #[arg(long)]
    release: bool,
    /// Flags for all three services, such as `-- --tick 1s`
    #[arg(last = true, value_name = "FLAG")]
    flags: Vec<OsString>,
}

impl Up {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        self.build()?;

        // Only now: Ctrl-C during the build ends it and this task, as is the default.
        let (sender, signals) = mpsc::channel();
        ctrlc::set_handler(move || {
            let _ = sender.send(());
        })
        .context("a handler for Ctrl-C")?;

        let width = SERVICES.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
        let own = Prefix::new("xtask", width, OWN_COLOUR);
        let folder = workspace::target()?.join(if self.release { "release" } else { "debug" });
        own.print("Ctrl-C stops the services");
        let mut services = Vec::new();
        for ((name, port), colour) in SERVICES.into_iter().zip(COLOURS) {
            own.print(format!("{name}: http://localhost:{port}/"));
            let prefix = Prefix::new(name, width, colour);
            services.push(Service::start(name, &folder.join(name), &self.flags, &prefix)?);
        }
        watch(&mut services, &signals, &own)
    }

    fn build(&self) -> anyhow::Result<()> {
        let mut cargo = workspace::cargo(workspace::root());
        cargo.args(["build", "--locked"]).args(SERVICES.iter().flat_map(|(name, _)| ["-p", name]));
        if self.release {
            cargo.arg("--release");
        }
        let status = cargo.status().context("starting cargo build")?;
        ensure!(status.success(), "the services could not be built");
        Ok(())
    }
}

/// Waits until every service has ended, and stops them all once a signal comes or the first one ends.
fn watch(services: &mut [Service], signals: &Receiver<()>, own: &Prefix) -> anyhow::Result<()> {
    let mut stopping = false;
    let mut killed = false;
    let mut failures = Vec::new();
    while services.iter().any(Service::is_running) {
        if signals.recv_timeout(LOOK).is_ok() {
            let (say, signal) = match stopping {
                false => ("stopping the services; Ctrl-C again kills them", Signal::SIGTERM),
                true => ("killing the services", Signal::SIGKILL),
            };
            own.print(say);
            services.iter().for_each(|service| service.signal(signal));
            killed = stopping;
            stopping = true;
        }
        for index in 0..services.len() {
            let name = services[index].name;
            let Some(status) = services[index].reap()? else { continue };
            if !stopping {
                own.print(format!("{name} ended by itself ({status}); stopping the others"));
                failures.push(format!("{name} ended by itself ({status})"));
                services.iter().for_each(|service| service.signal(Signal::SIGTERM));
                stopping = true;
            } else if !killed && !ended_well(status) {
                failures.push(format!("{name} did not end well ({status})"));
            }
        }
    }
    ensure!(!killed, "the services were killed");
    ensure!(failures.is_empty(), "{}", failures.join("; "));
    Ok(())
}
