//! Prometheus, which the tests of the metrics need: `prometheus` and `promtool`.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, bail, ensure};

use crate::{
    install, log,
    program::{named_or_installed, program},
    workspace,
};

/// The instructions where this task cannot install it.
const BY_HAND: &str =
    "install Prometheus, and name its programs in the variables PROMETHEUS and PROMTOOL if they are not on the path";

/// The two programs.
#[derive(Debug)]
pub(crate) struct Prometheus {
    pub(crate) server: PathBuf,
    pub(crate) tool: PathBuf,
}

impl Prometheus {
    /// Returns the programs that PROMETHEUS and PROMTOOL name, or else those that are installed. If there are none, unpacks Debian's package
    /// in the target folder: installing it would start a server.
    pub(crate) fn find_or_install() -> anyhow::Result<Self> {
        let named = |variable, name| named_or_installed(variable, &[name]);
        if let (Some(server), Some(tool)) = (named("PROMETHEUS", "prometheus")?, named("PROMTOOL", "promtool")?) {
            return Ok(Self { server, tool });
        }
        let folder = workspace::target()?.join("prometheus");
        let found = || {
            let [server, tool] = ["prometheus", "promtool"].map(|name| program(&folder.join("usr/bin").join(name)));
            Some(Self { server: server?, tool: tool? })
        };
        if let Some(found) = found() {
            return Ok(found);
        }
        unpack(&folder)?;
        found().with_context(|| format!("the package was unpacked into {} and has no programs", folder.display()))
    }
}

fn unpack(folder: &Path) -> anyhow::Result<()> {
    if ["apt-get", "dpkg-deb"].iter().any(|name| program(Path::new(name)).is_none()) {
        bail!("Prometheus is not installed: {BY_HAND}");
    }
    fs::create_dir_all(folder).with_context(|| format!("creating {}", folder.display()))?;
    let log = workspace::target()?.join("install.log");
    println!(
        "Prometheus is not installed; unpacking Debian's package in {} (what apt-get says is in {})",
        folder.display(),
        log.display()
    );
    let output = File::create(&log).with_context(|| format!("writing {}", log.display()))?;
    let download = || run(folder, "apt-get", &["download", "prometheus"], &output);
    // The lists of packages may be missing or old.
    let downloaded = download()? || (install::refresh(&output)? && download()?);
    ensure!(downloaded, "the package could not be downloaded: {BY_HAND}\n{}", log::last_lines(&log, 20));
    let files = fs::read_dir(folder)?.filter_map(|entry| Some(entry.ok()?.file_name()));
    let package = files.filter_map(|name| name.into_string().ok()).find(|name| name.ends_with(".deb"));
    let package = package.context("apt-get has downloaded no package")?;
    let unpacked = run(folder, "dpkg-deb", &["--extract", &package, "."], &output)?;
    ensure!(unpacked, "the package could not be unpacked\n{}", log::last_lines(&log, 20));
    Ok(())
}

fn run(folder: &Path, name: &str, arguments: &[&str], output: &File) -> anyhow::Result<bool> {
    let mut command = Command::new(name);
    command.current_dir(folder).args(arguments).stdin(Stdio::null());
    command.stdout(output.try_clone()?).stderr(output.try_clone()?);
    Ok(command.status().with_context(|| format!("starting {name}"))?.success())
}
