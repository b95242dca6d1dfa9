//! `cargo xtask crash`: crashes of the machine under a history in a file.

use std::{ffi::OsString, process::ExitCode};

use clap::Args;

use crate::optimised;

/// Plays through crashes of the machine under a history in a file, and looks for lost messages
///
/// `cargo xtask crash --seeds 1000` takes some minutes; `cargo xtask crash --help` lists the flags. On Linux, with a C compiler.
#[derive(Debug, Args)]
#[command(disable_help_flag = true)]
pub(crate) struct Crash {
    /// The flags
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "ARGUMENT")]
    arguments: Vec<OsString>,
}

impl Crash {
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        optimised::run("crash", self.arguments)
    }
}
