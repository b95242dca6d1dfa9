//! `cargo xtask manifests`: checks the manifests in `deploy` against Kubernetes' own schemas.

use std::process::Command;

use anyhow::{Context, ensure};
use clap::Args;

use crate::{pip::Package, workspace};

/// The package includes the schemas.
const PACKAGE: Package = Package {
    program: "kubernetes-validate",
    requirement: "kubernetes-validate==1.37.0",
    dependencies: true,
    by_hand: "install Python 3 with pip",
};

/// The manifests, in the folder `deploy`. A PodMonitor is no part of Kubernetes, and is not checked.
const FILES: [&str; 4] =
    ["kubernetes.yaml", "kubernetes-one-node.yaml", "kubernetes-token.yaml", "kubernetes-monitoring.yaml"];

/// The oldest version that the manifests are for, and the newest one that the package has.
const VERSIONS: [&str; 2] = ["1.30", "1.37"];

/// Checks the manifests for Kubernetes against its schemas, in which unknown fields are errors
///
/// The program for this, kubernetes-validate, is installed into the target folder with pip where it is missing.
#[derive(Debug, Args)]
pub(crate) struct Manifests {}

impl Manifests {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let program = PACKAGE.find_or_install()?;
        for (file, version) in FILES.into_iter().flat_map(|file| VERSIONS.map(|version| (file, version))) {
            let output = Command::new(&program)
                .args(["--strict", "-k", version])
                .arg(workspace::root().join("deploy").join(file))
                .env("PYTHONPATH", PACKAGE.folder()?)
                .output()
                .with_context(|| format!("starting {}", program.display()))?;
            let said = [output.stdout, output.stderr].concat();
            let said = String::from_utf8_lossy(&said);
            let passed = said.lines().filter(|line| line.contains(" passed for resource ")).count();
            let complaints: Vec<_> = said.lines().filter(|line| !line.contains(" passed for resource ")).collect();
            ensure!(
                output.status.success(),
                "{file} is not what Kubernetes {version} takes:\n{}",
                complaints.join("\n")
            );
            ensure!(passed > 0, "no resource was found in {file}:\n{said}");
            println!("{file}, Kubernetes {version}: {passed} resources are valid");
        }
        Ok(())
    }
}
