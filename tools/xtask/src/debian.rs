//! Programs from Debian's packages, unpacked in the target folder: installing one would start a server.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, bail, ensure};

use crate::{install, log, program::program, workspace};

/// Returns the folder in which a package is unpacked, or is to be.
pub(crate) fn folder(package: &str) -> anyhow::Result<PathBuf> {
    Ok(workspace::target()?.join(package))
}

/// Unpacks a package. `by_hand` is the instruction where that is not possible.
pub(crate) fn unpack(package: &str, by_hand: &str) -> anyhow::Result<()> {
    if ["apt-get", "dpkg-deb"].iter().any(|name| program(Path::new(name)).is_none()) {
        bail!("{package} is not installed: {by_hand}");
    }
    let folder = &folder(package)?;
    fs::create_dir_all(folder).with_context(|| format!("creating {}", folder.display()))?;
    let log = workspace::target()?.join("install.log");
    println!(
        "{package} is not installed; unpacking Debian's package in {} (what apt-get says is in {})",
        folder.display(),
        log.display()
    );
    let output = File::create(&log).with_context(|| format!("writing {}", log.display()))?;
    let download = || run(folder, "apt-get", &["download", package], &output);
    // The lists of packages may be missing or old.
    let downloaded = download()? || (install::refresh(&output)? && download()?);
    ensure!(downloaded, "the package could not be downloaded: {by_hand}\n{}", log::last_lines(&log, 20));
    let files = fs::read_dir(folder)?.filter_map(|entry| Some(entry.ok()?.file_name()));
    let file = files.filter_map(|name| name.into_string().ok()).find(|name| name.ends_with(".deb"));
    let file = file.context("apt-get has downloaded no package")?;
    let unpacked = run(folder, "dpkg-deb", &["--extract", &file, "."], &output)?;
    ensure!(unpacked, "the package could not be unpacked\n{}", log::last_lines(&log, 20));
    Ok(())
}

fn run(folder: &Path, name: &str, arguments: &[&str], output: &File) -> anyhow::Result<bool> {
    let mut command = Command::new(name);
    command.current_dir(folder).args(arguments).stdin(Stdio::null());
    command.stdout(output.try_clone()?).stderr(output.try_clone()?);
    Ok(command.status().with_context(|| format!("starting {name}"))?.success())
}
