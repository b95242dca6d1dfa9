//! `cargo xtask alone`: each service with the other two deleted.

use std::{
    collections::BTreeSet,
    ffi::OsStr,
    fs::{self, File},
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
    process::Command,
    time::Instant,
};

use anyhow::{Context, bail, ensure};
use clap::Args;
use toml_edit::{DocumentMut, Item};

use crate::{
    log,
    tally::Tally,
    workspace::{self, DEVELOPMENT_FEATURES, SERVICES},
};

/// The members that stay beside the one service.
const KEPT: [&str; 6] = ["shared", "backplane/nats", "backplane/sqlite", "serving", "tools/testkit", "tools/xtask"];

/// Folders that need all three services, and so are left out when one of them is.
const NEED_ALL: [&str; 4] = ["tools/bench", "tools/e2e", "tools/push", "tools/replicas"];

/// Builds and tests each service in a copy of the workspace without the other two
///
/// The tests run with its features of development. Each is compiled once more without features, and with NATS and with SQLite alone.
///
/// The copies are made of the files that git tracks or would add, in the folder `alone` of the target folder, with a log
/// for each service. Nothing is fetched after the first one has begun.
#[derive(Debug, Args)]
pub(crate) struct Alone {}

impl Alone {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let folder = workspace::target()?.join("alone");
        let fetched = workspace::cargo(workspace::root()).args(["fetch", "--locked", "--quiet"]).status();
        ensure!(fetched.context("starting cargo fetch")?.success(), "the dependencies could not be fetched");

        let files = files(workspace::root())?;
        let mut failed = Vec::new();
        for (service, _) in SERVICES {
            let copy = folder.join(service);
            copy_without_others(service, &files, &copy)?;
            println!("{service}: testing it without the other two, in {}", copy.display());
            let begin = Instant::now();
            match test(service, &copy, &folder) {
                Ok(passed) => println!("{service}: {passed} tests passed in {} s", begin.elapsed().as_secs()),
                Err(error) => {
                    println!("{service}: FAILED: {error:#}");
                    failed.push(service);
                }
            }
        }
        ensure!(failed.is_empty(), "does not stand alone: {}", failed.join(", "));
        Ok(())
    }
}

/// The paths of all files that git tracks or would add, from the root.
fn files(root: &Path) -> anyhow::Result<BTreeSet<PathBuf>> {
    let listed = Command::new("git")
        .current_dir(root)
        .args(["ls-files", "-co", "--exclude-standard", "-z"])
        .output()
        .context("starting git")?;
    ensure!(listed.status.success(), "git ls-files: {}", String::from_utf8_lossy(&listed.stderr).trim());
    let paths = listed.stdout.split(|&byte| byte == 0).filter(|path| !path.is_empty());
    // Files that git tracks may have been deleted since.
    Ok(paths.map(|path| PathBuf::from(OsStr::from_bytes(path))).filter(|path| root.join(path).is_file()).collect())
}

fn copy_without_others(service: &str, files: &BTreeSet<PathBuf>, copy: &Path) -> anyhow::Result<()> {
    if copy.exists() {
        fs::remove_dir_all(copy).with_context(|| format!("removing {}", copy.display()))?;
    }
    let others = SERVICES.iter().map(|(name, _)| *name).filter(|name| *name != service);
    let left_out: Vec<_> = others.chain(NEED_ALL).collect();
    for file in files.iter().filter(|file| !left_out.iter().any(|folder| file.starts_with(folder))) {
        let to = copy.join(file);
        fs::create_dir_all(to.parent().unwrap_or(copy))?;
        fs::copy(workspace::root().join(file), &to).with_context(|| format!("copying {}", file.display()))?;
    }
    let manifest = copy.join("Cargo.toml");
    let text = fs::read_to_string(&manifest)?;
    let reduced = with_members(&text, |member| member == service || KEPT.contains(&member))?;
    fs::write(&manifest, reduced).context("writing the copy's Cargo.toml")
}

/// The manifest with only those members for which `keep` is true.
fn with_members(manifest: &str, keep: impl Fn(&str) -> bool) -> anyhow::Result<String> {
    let mut document: DocumentMut = manifest.parse().context("reading Cargo.toml")?;
    let workspace = document.get_mut("workspace").context("Cargo.toml has no workspace")?;
    for key in ["members", "default-members"] {
        if let Some(members) = workspace.get_mut(key).and_then(Item::as_array_mut) {
            members.retain(|member| member.as_str().is_some_and(&keep));
        }
    }
    Ok(document.to_string())
}

/// Tests the service, and checks that it compiles without its features. Returns the number of tests that passed. Not `--locked`, since
/// cargo may remove what the other services needed from Cargo.lock.
fn test(service: &str, copy: &Path, folder: &Path) -> anyhow::Result<u32> {
    let log = folder.join(format!("{service}.log"));
    let output = File::create(&log).with_context(|| format!("writing {}", log.display()))?;
    let development = DEVELOPMENT_FEATURES.join(",");
    for (task, features) in [("test", &*development), ("check", ""), ("check", "nats"), ("check", "sqlite")] {
        let status = workspace::cargo(copy)
            .args([task, "--offline", "-p", service, "--no-default-features", "--features", features])
            .env("CARGO_TARGET_DIR", folder.join("target"))
            .env("CARGO_TERM_COLOR", "never")
            // Each copy is new, so nothing is kept for its next build.
            .env("CARGO_INCREMENTAL", "0")
            .stdout(output.try_clone()?)
            .stderr(output.try_clone()?)
            .status()
            .context("starting cargo")?;
        if !status.success() {
            bail!(
                "cargo {task} with the features {features:?}: {status}\n{}\n(all of it: {})",
                log::last_lines(&log, 40),
                log.display()
            );
        }
    }
    let needed = workspace::cargo(copy)
        .args(["tree", "--offline", "--no-default-features", "-e", "normal", "-p", service])
        .output()
        .context("starting cargo tree")?;
    let needed_crates = String::from_utf8_lossy(&needed.stdout);
    let optional = ["async-nats", "opentelemetry_sdk", "rusqlite", "tikv-jemallocator"]
        .iter()
        .find(|optional| needed_crates.contains(**optional));
    ensure!(needed.status.success(), "cargo tree: {}", needed.status);
    ensure!(optional.is_none(), "without its features it still needs {}", optional.unwrap_or(&""));
    match Tally::of(&log::text(&log)).passed {
        0 => bail!("it has no test"),
        passed => Ok(passed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_members_go_and_the_rest_of_the_manifest_stays() {
        let manifest =
            "# top\n[workspace]\nmembers = [\"shared\", \"ws-echo\", \"tools/e2e\"] # all\nresolver = \"3\"\n";
        let reduced = with_members(manifest, |member| member == "shared");
        assert_eq!(reduced.unwrap(), "# top\n[workspace]\nmembers = [\"shared\"] # all\nresolver = \"3\"\n");
    }
}
