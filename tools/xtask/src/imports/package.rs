//! The packages of the workspace, as cargo lists them.

use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use serde::Deserialize;

use super::module::Modules;
use crate::workspace;

#[derive(Debug, Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

/// A package, with the targets that cargo builds from it.
#[derive(Debug, Deserialize)]
pub(super) struct Package {
    targets: Vec<CargoTarget>,
}

#[derive(Debug, Deserialize)]
struct CargoTarget {
    kind: Vec<String>,
    name: String,
    src_path: PathBuf,
}

/// The kinds of target that no other crate uses.
const IGNORED: [&str; 4] = ["test", "bench", "example", "custom-build"];

impl Package {
    /// The members of the workspace in `root`.
    ///
    /// # Errors
    /// Fails when cargo cannot read it.
    pub(super) fn members(root: &Path) -> anyhow::Result<Vec<Self>> {
        let mut cargo = workspace::cargo(root);
        cargo.args(["metadata", "--no-deps", "--format-version", "1", "--offline"]);
        // With this argument cargo prints paths that begin with `root`, even where that is a symbolic link.
        let output = cargo.arg("--manifest-path").arg(root.join("Cargo.toml")).output();
        let output = output.context("starting cargo metadata")?;
        ensure!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr).trim());
        let metadata: Metadata =
            serde_json::from_slice(&output.stdout).context("reading what cargo metadata printed")?;
        Ok(metadata.packages)
    }

    /// Reads its library and its programs.
    ///
    /// # Errors
    /// Fails when a file is missing, or cannot be parsed.
    pub(super) fn modules(&self) -> anyhow::Result<Modules> {
        let mut modules = Modules::default();
        for target in &self.targets {
            if target.kind.iter().any(|kind| IGNORED.contains(&kind.as_str())) {
                continue;
            }
            let root = modules.read_crate(&target.src_path)?;
            if !target.kind.iter().any(|kind| kind == "bin") {
                modules.library = Some((target.name.replace('-', "_"), root));
            }
        }
        Ok(modules)
    }
}
