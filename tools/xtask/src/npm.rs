//! Packages from npm, in a folder of their own within the target folder.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::Context;

use crate::{program::program, workspace};

/// Installs packages, each with its version. Returns whether they are there: npm may be missing, or unable to install them.
pub(crate) fn install(folder: &str, packages: &[&str]) -> anyhow::Result<bool> {
    let Some(npm) = program(Path::new("npm")) else { return Ok(false) };
    let mut install = Command::new(&npm);
    install.args(["install", "--silent", "--no-audit", "--no-fund", "--no-save", "--prefix"]);
    let status = install.arg(workspace::target()?.join(folder)).args(packages).status();
    Ok(status.context("starting npm")?.success())
}

/// Returns the folder of what was installed.
pub(crate) fn modules(folder: &str) -> anyhow::Result<PathBuf> {
    Ok(workspace::target()?.join(folder).join("node_modules"))
}
