//! One running service.

use std::{
    ffi::OsString,
    io,
    os::unix::process::{CommandExt, ExitStatusExt},
    path::Path,
    process::{Child, ExitStatus, Stdio},
    thread::JoinHandle,
};

use anyhow::Context;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use crate::{leash::Leash, output::Prefix};

/// A service's process, from its start until it has been waited for. Dropped before, it is killed.
#[derive(Debug)]
pub(crate) struct Service {
    pub(crate) name: &'static str,
    child: Child,
    output: Option<JoinHandle<()>>,
    running: bool,
}

impl Service {
    /// Starts `program` in a process group of its own, so that a terminal's Ctrl-C does not reach it: whoever started
    /// it says when it has to end.
    pub(crate) fn start(
        name: &'static str,
        program: &Path,
        flags: &[OsString],
        prefix: &Prefix,
    ) -> anyhow::Result<Self> {
        let (source, sink) = io::pipe().context("a pipe for the output")?;
        let child = Leash::command(&program.into())?
            .args(flags)
            // One address for all three is never right; each has its own by default.
            .env_remove("PUSH_LISTEN")
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(sink.try_clone().context("a pipe for the output")?)
            .stderr(sink)
            .spawn()
            .with_context(|| format!("starting {name}"))?;
        let output = Some(prefix.relay(source));
        Ok(Self { name, child, output, running: true })
    }

    pub(crate) fn is_running(&self) -> bool {
        self.running
    }

    /// How it ended, said once, when it has. Its last lines have been printed by then.
    pub(crate) fn reap(&mut self) -> anyhow::Result<Option<ExitStatus>> {
        if !self.running {
            return Ok(None);
        }
        let status = self.child.try_wait().with_context(|| format!("waiting for {}", self.name))?;
        if status.is_some() {
            self.running = false;
            if let Some(output) = self.output.take() {
                let _ = output.join();
            }
        }
        Ok(status)
    }

    /// Sends a signal, unless it has ended: until it is reaped, no other process is given its id.
    pub(crate) fn signal(&self, signal: Signal) {
        if self.running
            && let Ok(pid) = i32::try_from(self.child.id())
        {
            let _ = kill(Pid::from_raw(pid), signal);
        }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        if self.running {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

/// Whether a service that was told to end did so well. One that was told while it still started may have had no
/// handler for SIGTERM yet, and then dies of it.
pub(crate) fn ended_well(status: ExitStatus) -> bool {
    status.success() || status.signal() == Some(Signal::SIGTERM as i32)
}
