//! The build of the services, which shows that it goes on.

use std::{
    io::{self, BufRead, BufReader, IsTerminal},
    process::{Command, Stdio},
    sync::mpsc::{self, RecvTimeoutError},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};

use crate::workspace::{self, DEVELOPMENT_FEATURES, SERVICES};

/// The longest time without a word.
const SILENCE: Duration = Duration::from_secs(2);

/// Builds the three services: with optimisation and everything they have, or for development.
pub(super) fn services(release: bool) -> anyhow::Result<()> {
    let mut cargo = workspace::cargo(workspace::root());
    cargo.args(["build", "--locked"]).args(SERVICES.iter().flat_map(|(name, _)| ["-p", name]));
    if release {
        cargo.arg("--release");
    } else {
        cargo.args(["--no-default-features", "--features", &DEVELOPMENT_FEATURES.join(",")]);
    }
    // On a terminal, cargo itself shows what it builds and how much of it is left.
    let is_built = if io::stderr().is_terminal() {
        cargo.status().context("starting cargo build")?.success()
    } else {
        build_aloud(&mut cargo)?
    };
    ensure!(is_built, "the services could not be built");
    Ok(())
}

/// Runs cargo and passes on what it says, and says how far it is where cargo is silent: it names a package only when it begins with it.
fn build_aloud(cargo: &mut Command) -> anyhow::Result<bool> {
    let mut child = cargo.stderr(Stdio::piped()).spawn().context("starting cargo build")?;
    let (sender, lines) = mpsc::channel();
    let stderr = BufReader::new(child.stderr.take().context("the output of cargo")?);
    thread::spawn(move || stderr.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
    let begin = Instant::now();
    let mut packages = 0;
    loop {
        match lines.recv_timeout(SILENCE) {
            Ok(line) => {
                packages += usize::from(line.trim_start().starts_with("Compiling"));
                eprintln!("{line}");
            }
            Err(RecvTimeoutError::Timeout) => {
                eprintln!("    Building for {} s, package {packages}", begin.elapsed().as_secs());
            }
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    Ok(child.wait().context("waiting for cargo build")?.success())
}
