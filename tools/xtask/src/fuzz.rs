//! `cargo xtask fuzz`: the fuzz targets of `tools/fuzz`, each for a time.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, bail, ensure};
use clap::Args;

use crate::workspace;

/// Searches bytes for which a check of the readers or writers of the protocols fails
///
/// Each target begins with the seeds in tools/fuzz/seeds and with what earlier runs found (tools/fuzz/corpus). An input that
/// fails is kept in tools/fuzz/artifacts and named. Needs rustup with a nightly toolchain, cargo-fuzz, and a C++ compiler.
#[derive(Debug, Args)]
pub(crate) struct Fuzz {
    /// A target, as tools/fuzz/fuzz_targets has it; several if given several times. Without it, every target
    #[arg(long, value_name = "NAME")]
    target: Vec<String>,
    /// The time of each target
    #[arg(long, default_value_t = 60, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..))]
    seconds: u32,
    /// The longest input, in bytes
    #[arg(long, default_value_t = 4096, value_name = "BYTES")]
    max_bytes: u32,
}

impl Fuzz {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let folder = workspace::root().join("tools/fuzz");
        let known = targets(&folder)?;
        if let Some(unknown) = self.target.iter().find(|target| !known.contains(target)) {
            bail!("no target is called {unknown}; there are {}", known.join(", "));
        }
        check_tools()?;
        let chosen = if self.target.is_empty() { &known } else { &self.target };
        let mut failed = Vec::new();
        for target in chosen {
            println!("{target}: {} s", self.seconds);
            if !self.search(&folder, target)? {
                failed.push(target.as_str());
                for input in files(&folder.join("artifacts").join(target)) {
                    println!("{target}: FAILED on {}", input.display());
                }
                println!("{target}: once more: rustup run nightly cargo fuzz run --fuzz-dir tools/fuzz {target} INPUT");
            }
        }
        ensure!(failed.is_empty(), "a check fails: {}", failed.join(", "));
        Ok(())
    }

    /// Runs a target, and returns whether its check held.
    fn search(&self, folder: &Path, target: &str) -> anyhow::Result<bool> {
        let (corpus, seeds) = (folder.join("corpus").join(target), folder.join("seeds").join(target));
        fs::create_dir_all(&corpus).with_context(|| format!("making {}", corpus.display()))?;
        let status = nightly(&["cargo", "fuzz", "run", "--fuzz-dir"])
            .args([folder, Path::new(target), &corpus, &seeds])
            .arg("--")
            .arg(format!("-max_total_time={}", self.seconds))
            .arg(format!("-max_len={}", self.max_bytes))
            .args(["-timeout=10", "-rss_limit_mb=2048", "-print_final_stats=1", "-print_funcs=0", "-verbosity=0"])
            .status();
        Ok(status.context("starting rustup")?.success())
    }
}

/// The names of the targets, in their order.
fn targets(folder: &Path) -> anyhow::Result<Vec<String>> {
    let folder = folder.join("fuzz_targets");
    let names = files(&folder);
    ensure!(!names.is_empty(), "no targets in {}", folder.display());
    Ok(names.iter().filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned())).collect())
}

/// The files in a folder, in the order of their names.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    let mut paths: Vec<_> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.sort();
    paths
}

/// A command of the nightly toolchain. A fuzzer needs flags of the compiler that no stable one has.
fn nightly(command: &[&str]) -> Command {
    let mut rustup = Command::new("rustup");
    // Else cargo-fuzz would build with the cargo that runs this task.
    rustup.env_remove("CARGO").env_remove("RUSTC").env_remove("RUSTUP_TOOLCHAIN");
    rustup.args(["run", "nightly"]).args(command).current_dir(workspace::root());
    rustup
}

fn check_tools() -> anyhow::Result<()> {
    let works = |command: &[&str]| {
        let status = nightly(command).stdout(Stdio::null()).stderr(Stdio::null()).status();
        status.is_ok_and(|status| status.success())
    };
    ensure!(
        works(&["rustc", "--version"]),
        "fuzzing needs a nightly toolchain: install rustup (https://rustup.rs), then `rustup toolchain install nightly`"
    );
    ensure!(works(&["cargo", "fuzz", "--version"]), "fuzzing needs cargo-fuzz: `cargo install --locked cargo-fuzz`");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_target_is_a_program_and_has_seeds() {
        let folder = workspace::root().join("tools/fuzz");
        let manifest = fs::read_to_string(folder.join("Cargo.toml")).unwrap();
        let targets = targets(&folder).unwrap();
        for target in &targets {
            assert!(
                manifest.contains(&format!("path = \"fuzz_targets/{target}.rs\"")),
                "{target} is not in Cargo.toml"
            );
            assert!(!files(&folder.join("seeds").join(target)).is_empty(), "{target} has no seeds");
        }
        assert_eq!(manifest.matches("[[bin]]").count(), targets.len());
    }
}
