//! Packages from npm, in a folder of their own within the target folder.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::Context;

use crate::{program::program, workspace};

/// Installs packages, each with its version, and returns the folder of modules; nothing where npm is not there or cannot install them.
pub(crate) fn install(folder: &str, packages: &[&str]) -> anyhow::Result<Option<PathBuf>> {
    let Some(npm) = program(Path::new("npm")) else { return Ok(None) };
    let folder = workspace::target()?.join(folder);
    let mut install = Command::new(&npm);
    install.args(["install", "--silent", "--no-audit", "--no-fund", "--no-save", "--prefix"]).arg(&folder);
    let is_installed = install.args(packages).status().context("starting npm")?.success();
    Ok(is_installed.then(|| folder.join("node_modules")))
}
