//! `cargo xtask up`: the three services in one terminal.

mod build;
mod guide;

use std::{
    env,
    ffi::OsString,
    path::PathBuf,
    sync::mpsc::{self, Receiver},
    time::Duration,
};

use anyhow::{Context, ensure};
use clap::Args;
use nix::sys::signal::Signal;

use guide::Guide;

use crate::{
    nats_server::{self, NatsServer},
    output::Prefix,
    process::{Process, Start},
    workspace::{self, SERVICES},
};

/// ANSI's cyan, yellow and magenta, green for NATS, and bold for the lines of this task.
const COLOURS: [u8; 3] = [36, 33, 35];
const NATS_COLOUR: u8 = 32;
const OWN_COLOUR: u8 = 1;

/// The interval at which services are checked for having ended.
const CHECK_INTERVAL: Duration = Duration::from_millis(50);

/// Builds the three services, runs them and shows what they log; Ctrl-C stops them
///
/// The services share one history, which is in a file and is kept: after a restart, clients go on where they were.
///
/// For something to see and a quick end, the services tick every second and drain for a second, unless flags or variables say something else.
///
/// Every line is preceded by the name of the service that wrote it. Ctrl-C (or SIGTERM) ends the services in good order,
/// within their drain window; a second Ctrl-C kills them. If a service ends by itself, for instance because its port is
/// taken, the others are stopped and the exit code is not 0.
#[derive(Debug, Args)]
pub(crate) struct Up {
    /// Build with optimisation and with jemalloc, as for production
    #[arg(long)]
    release: bool,
    /// Keep the shared history in this directory, and not in `up/history` of the target folder
    ///
    /// It has to be on a disk of this machine.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Give each service a history of its own, in memory
    #[arg(long, conflicts_with = "data")]
    separate: bool,
    /// Let the services share their history through a NATS server that is started for them, and not in a file
    ///
    /// The server is the program that the variable NATS_SERVER names, or the one on the path; if it is missing, it is
    /// installed into the target folder with pip. Its store is removed when it ends.
    #[arg(long, conflicts_with_all = ["data", "separate"])]
    nats: bool,
    /// Flags for all three services, such as `-- --tick 1s`
    #[arg(last = true, value_name = "FLAG")]
    flags: Vec<OsString>,
}

/// The place of the services' history.
#[derive(Debug, PartialEq, Eq)]
enum History {
    /// A directory, which they share.
    File(PathBuf),
    /// A NATS server, which they share.
    Nats,
    /// Memory, of which each has its own.
    Memory,
    /// The one that their own flags or variables name.
    OfFlags,
}

/// The variables of the services that name a history.
const DATA: &str = "PUSH_DATA";
const NATS: &str = "PUSH_NATS";

/// Values for trying, which flags of the services come before: a message at once, and an end at once.
const FOR_TRYING: [(&str, &str); 2] = [("PUSH_TICK", "1s"), ("PUSH_DRAIN", "1s")];

impl Up {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        build::services(self.release)?;

        // Not before the build, which Ctrl-C ends together with this task by default.
        let (sender, signals) = mpsc::channel();
        ctrlc::set_handler(move || {
            let _ = sender.send(());
        })
        .context("a handler for Ctrl-C")?;

        let names = SERVICES.iter().map(|(name, _)| *name).chain(self.nats.then_some(nats_server::NAME));
        let width = names.map(str::len).max().unwrap_or_default();
        let own = Prefix::new("xtask", width, OWN_COLOUR);
        let folder = workspace::target()?.join(if self.release { "release" } else { "debug" });
        let mut nats = None;
        let (mut data, mut url) = (OsString::new(), OsString::new());
        let is_set = |name: &str| env::var_os(name).is_some_and(|value| !value.is_empty());
        let history = self.history(is_set)?;
        match &history {
            History::File(directory) => {
                own.print(format!("history: {}, which is kept and goes on after a restart", directory.display()));
                data = directory.into();
            }
            History::Nats => {
                let server = nats.insert(NatsServer::start(&Prefix::new(nats_server::NAME, width, NATS_COLOUR))?);
                own.print(format!("{}: {}", nats_server::NAME, server.url));
                url = server.url.clone().into();
            }
            History::Memory => own.print("history: one for each service, in memory"),
            History::OfFlags => {}
        }
        // An empty variable counts as one that is not set.
        let mut variables = if history == History::OfFlags { Vec::new() } else { vec![(DATA, data), (NATS, url)] };
        let for_trying = FOR_TRYING.iter().filter(|(variable, _)| !is_set(variable));
        variables.extend(for_trying.map(|&(variable, value)| (variable, value.into())));
        let mut guide = Guide::new();
        let mut services = Vec::new();
        for (index, ((name, _), colour)) in SERVICES.into_iter().zip(COLOURS).enumerate() {
            let (program, prefix) = (folder.join(name), Prefix::new(name, width, colour));
            let stop = Signal::SIGTERM;
            let start = Start { name, program: &program, flags: &self.flags, variables: &variables, stop };
            services.push(start.run(&prefix, guide.listener(index))?);
        }
        watch(&mut services, nats.as_mut().map(|server| &mut server.process), &signals, &own, &mut guide)
    }

    /// The history that the services are to have, where `is_set` says which variables have a value.
    fn history(&self, is_set: impl Fn(&str) -> bool) -> anyhow::Result<History> {
        if self.nats {
            return Ok(History::Nats);
        }
        if self.separate {
            return Ok(History::Memory);
        }
        if let Some(directory) = &self.data {
            return Ok(History::File(directory.clone()));
        }
        let names_one = |flag: &OsString| {
            let flag = flag.to_string_lossy();
            ["--data", "--nats"].contains(&flag.split('=').next().unwrap_or_default())
        };
        if is_set(DATA) || is_set(NATS) || self.flags.iter().any(names_one) {
            return Ok(History::OfFlags);
        }
        Ok(History::File(workspace::target()?.join("up/history")))
    }
}

/// Waits until all processes have ended. After a signal, or when the first process ends, the services are stopped. NATS
/// is stopped after them, since they need it until they end.
fn watch(
    services: &mut [Process],
    mut nats: Option<&mut Process>,
    signals: &Receiver<()>,
    own: &Prefix,
    guide: &mut Guide,
) -> anyhow::Result<()> {
    let mut stopping = false;
    let mut killed = false;
    // NATS has been sent its signal to end.
    let mut nats_stopping = false;
    let mut failures = Vec::new();
    loop {
        if !services.iter().any(Process::is_running) {
            match &nats {
                Some(nats) if nats.is_running() && !nats_stopping => nats.stop(),
                Some(nats) if nats.is_running() => {}
                _ => break,
            }
            nats_stopping = true;
        }
        if signals.recv_timeout(CHECK_INTERVAL).is_ok() {
            if stopping {
                own.print("killing the services");
                services.iter().chain(nats.as_deref()).for_each(Process::kill);
                killed = true;
            } else {
                own.print("stopping the services; Ctrl-C again kills them");
                services.iter().for_each(Process::stop);
                stopping = true;
            }
        }
        if !stopping {
            guide.print_when_ready(own);
        }
        let mut ended = Vec::new();
        for process in services.iter_mut().chain(nats.as_deref_mut()) {
            let Some(status) = process.reap()? else { continue };
            if !stopping {
                ended.push(format!("{} ended by itself ({status})", process.name));
            } else if !killed && !process.ended_well(status) {
                failures.push(format!("{} did not end well ({status})", process.name));
            }
        }
        if !ended.is_empty() {
            own.print(format!("{}; stopping the others", ended.join("; ")));
            failures.append(&mut ended);
            services.iter().for_each(Process::stop);
            stopping = true;
        }
    }
    ensure!(!killed, "the services were killed");
    ensure!(failures.is_empty(), "{}", failures.join("; "));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, clap::Parser)]
    struct Cli {
        #[command(flatten)]
        up: Up,
    }

    fn history(flags: &[&str], variable: &str) -> History {
        let cli = <Cli as clap::Parser>::try_parse_from(std::iter::once(&"up").chain(flags)).expect("they are valid");
        cli.up.history(|name| name == variable).expect("the target folder is known")
    }

    #[test]
    fn it_is_shared_in_the_target_folder_unless_something_else_is_said() {
        let History::File(directory) = history(&["--", "--tick", "1s"], "") else { panic!("it is in a file") };
        assert!(directory.ends_with("up/history") && directory.is_absolute(), "{directory:?}");
        assert_eq!(history(&["--data", "d"], NATS), History::File("d".into()));
        assert_eq!(history(&["--separate"], DATA), History::Memory);
        assert_eq!(history(&["--nats"], DATA), History::Nats);
        for (flags, variable) in
            [(&["--", "--data", "d"][..], ""), (&["--", "--nats=nats://n"], ""), (&[], DATA), (&[], NATS)]
        {
            assert_eq!(history(flags, variable), History::OfFlags, "{flags:?} {variable}");
        }
    }
}
