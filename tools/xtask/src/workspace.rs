//! The workspace: its root, cargo, the target folder.

use std::{
    env,
    ffi::OsString,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::Context;

/// The services, and the port on which each listens by default.
pub(crate) const SERVICES: [(&str, u16); 3] = [("ws-echo", 8080), ("longpoll-server", 3000), ("sse-server", 3001)];

/// The features of the services in a build for development: those on by default, without jemalloc, which takes two minutes to build and
/// saves memory under load.
pub(crate) const DEVELOPMENT_FEATURES: [&str; 3] = ["nats", "otlp", "sqlite"];

/// The folder of the workspace's Cargo.toml.
pub(crate) fn root() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here)
}

/// The command `cargo` in `folder`: the same cargo that runs this task.
pub(crate) fn cargo(folder: &Path) -> Command {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo")));
    cargo.current_dir(folder);
    cargo
}

/// The folder that holds `debug` and `release`. This program lies in one of the two, so its path is right even where a
/// variable or cargo's configuration has moved the folder.
pub(crate) fn target() -> anyhow::Result<PathBuf> {
    let this = env::current_exe().context("the path of xtask itself")?;
    let target = this.ancestors().nth(2).context("xtask lies outside of a target folder")?;
    Ok(target.to_owned())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;

    use toml_edit::DocumentMut;

    use super::*;

    #[test]
    fn a_build_for_development_leaves_out_jemalloc_alone() {
        let expected: BTreeSet<_> = DEVELOPMENT_FEATURES.into_iter().chain(["jemalloc"]).collect();
        for (service, _) in SERVICES {
            let manifest = fs::read_to_string(root().join(service).join("Cargo.toml")).unwrap();
            let manifest: DocumentMut = manifest.parse().unwrap();
            let default = manifest["features"]["default"].as_array().unwrap();
            let default: BTreeSet<_> = default.iter().map(|feature| feature.as_str().unwrap()).collect();
            assert_eq!(default, expected, "{service}");
        }
    }
}
