//! A leash, which keeps a service from outliving `cargo xtask up`, however that ends.

use std::{
    ffi::OsString,
    os::unix::process::CommandExt,
    process::{Command, ExitCode},
};

use anyhow::Context;
use clap::Args;

/// Becomes PROGRAM, which Linux kills when the process that started it dies, even by `kill -9`.
///
/// A parent cannot set this for its child (without `unsafe`), but a process can set it for itself, and exec keeps it.
#[derive(Debug, Args)]
pub(crate) struct Leash {
    /// The process that started this one
    parent: i32,
    program: OsString,
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<OsString>,
}

impl Leash {
    /// The command that starts `program` on a leash held by this process.
    ///
    /// The thread that spawns it has to live until then: Linux kills the child when that thread ends.
    pub(crate) fn command(program: &OsString) -> anyhow::Result<Command> {
        let mut command = Command::new(std::env::current_exe().context("the path of xtask itself")?);
        command.arg("leash").arg(std::process::id().to_string()).arg(program);
        Ok(command)
    }

    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        #[cfg(target_os = "linux")]
        {
            use nix::sys::{prctl::set_pdeathsig, signal::Signal};
            set_pdeathsig(Signal::SIGKILL).context("binding the process to its parent")?;
            // It may have died before the line above.
            if nix::unistd::getppid().as_raw() != self.parent {
                return Ok(ExitCode::FAILURE);
            }
        }
        let error = Command::new(&self.program).args(self.arguments).exec();
        Err(error).with_context(|| format!("starting {}", self.program.display()))
    }
}
