//! Programs of this workspace, built with optimisation.

use std::{
    ffi::OsString,
    os::unix::process::CommandExt,
    process::{Command, ExitCode},
};

use anyhow::{Context, ensure};

use crate::workspace;

/// Builds packages as for production.
pub(crate) fn build(packages: &[&str]) -> anyhow::Result<()> {
    let mut cargo = workspace::cargo(workspace::root());
    cargo.args(["build", "--release", "--locked"]).args(packages.iter().flat_map(|name| ["-p", name]));
    let status = cargo.status().context("starting cargo build")?;
    ensure!(status.success(), "{} could not be built", packages.join(", "));
    Ok(())
}

/// Builds the package that has a program of the same name, and becomes that program.
pub(crate) fn run(package: &str, arguments: Vec<OsString>) -> anyhow::Result<ExitCode> {
    build(&[package])?;
    let program = workspace::target()?.join("release").join(package);
    let error = Command::new(&program).args(arguments).exec();
    Err(error).with_context(|| format!("starting {}", program.display()))
}
