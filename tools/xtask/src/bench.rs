//! `cargo xtask bench`: the measurements, with everything built as for production.

use std::{
    ffi::OsString,
    os::unix::process::CommandExt,
    process::{Command, ExitCode},
};

use anyhow::{Context, ensure};
use clap::Args;

use crate::workspace::{self, SERVICES};

/// Builds the services and the measurements with optimisation, and measures
///
/// `cargo xtask bench compare` measures the cost of each method, `cargo xtask bench attack` what honest clients notice of an
/// abusive one, `cargo xtask bench cuts` cuts connections and looks for lost messages; `cargo xtask bench --help` lists all
/// commands, and `cargo xtask bench compare --help` the flags of one.
#[derive(Debug, Args)]
#[command(disable_help_flag = true)]
pub(crate) struct Bench {
    /// The command of the measurements, and its flags
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "ARGUMENT")]
    arguments: Vec<OsString>,
}

impl Bench {
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        build(&SERVICES.map(|(name, _)| name))?;
        // In a build of its own: in a common one, the services would have the features of libraries that this program
        // asks for, and would not be those that are deployed.
        build(&["bench"])?;
        let program = workspace::target()?.join("release").join("bench");
        let error = Command::new(&program).args(self.arguments).exec();
        Err(error).with_context(|| format!("starting {}", program.display()))
    }
}

fn build(packages: &[&str]) -> anyhow::Result<()> {
    let mut cargo = workspace::cargo(workspace::root());
    cargo.args(["build", "--release", "--locked"]).args(packages.iter().flat_map(|name| ["-p", name]));
    let status = cargo.status().context("starting cargo build")?;
    ensure!(status.success(), "{} could not be built", packages.join(", "));
    Ok(())
}
