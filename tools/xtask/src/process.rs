//! One running program.

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

/// The program to start, with its surroundings.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Start<'a> {
    pub(crate) name: &'static str,
    pub(crate) program: &'a Path,
    pub(crate) flags: &'a [OsString],
    pub(crate) variables: &'a [(&'a str, OsString)],
    /// The signal by which it ends in good order.
    pub(crate) stop: Signal,
}

impl Start<'_> {
    /// Starts it in a process group of its own, so that a terminal's Ctrl-C does not reach it: its owner decides when it
    /// ends. `hear` is called with every line that it writes.
    pub(crate) fn run(self, prefix: &Prefix, hear: impl FnMut(&[u8]) + Send + 'static) -> anyhow::Result<Process> {
        let (source, sink) = io::pipe().context("a pipe for the output")?;
        let child = Leash::command(&self.program.into())?
            .args(self.flags)
            // One address for all three services cannot be right; each has its own by default.
            .env_remove("PUSH_LISTEN")
            .envs(self.variables.iter().cloned())
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(sink.try_clone().context("a pipe for the output")?)
            .stderr(sink)
            .spawn()
            .with_context(|| format!("starting {}", self.name))?;
        let output = Some(prefix.relay(source, hear));
        Ok(Process { name: self.name, stop: self.stop, child, output, running: true })
    }
}

/// A process, from its start until it has been waited for. If it is dropped before, it is killed.
#[derive(Debug)]
pub(crate) struct Process {
    pub(crate) name: &'static str,
    stop: Signal,
    child: Child,
    output: Option<JoinHandle<()>>,
    running: bool,
}

impl Process {
    pub(crate) fn is_running(&self) -> bool {
        self.running
    }

    /// Returns the exit status once, after the process has ended. Its last lines have been printed by then.
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

    /// Sends the signal to end.
    pub(crate) fn stop(&self) {
        self.signal(self.stop);
    }

    pub(crate) fn kill(&self) {
        self.signal(Signal::SIGKILL);
    }

    /// Returns whether it ended well after the signal. A process that was still starting may have had no handler for the
    /// signal yet, and then dies of it.
    pub(crate) fn ended_well(&self, status: ExitStatus) -> bool {
        status.success() || status.signal() == Some(self.stop as i32)
    }

    /// Sends a signal, unless the process has ended: until it is reaped, no other process gets its id.
    fn signal(&self, signal: Signal) {
        if self.running
            && let Ok(pid) = i32::try_from(self.child.id())
        {
            let _ = kill(Pid::from_raw(pid), signal);
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.running {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}
