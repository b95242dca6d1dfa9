//! `cargo xtask client`: checks push.js as a package for npm: its types with the compiler of TypeScript, and what would be published.

use std::{path::Path, process::Command};

use anyhow::{Context, ensure};
use clap::Args;

use crate::{npm, program::program, workspace};

/// The folder of the programs from npm within the target folder, and their versions.
const FOLDER: &str = "npm";
const PACKAGES: [&str; 2] = ["typescript@5.9.3", "publint@0.3.25"];

/// Checks the types of push.js, and its package for npm
///
/// This needs Node.js 20 or newer with npm, for nothing else. Without them, or where npm cannot be reached, it says that it checked
/// nothing. TypeScript and publint are installed into the target folder.
#[derive(Debug, Args)]
pub(crate) struct Client {}

impl Client {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let (Some(node), Some(npm)) = (program(Path::new("node")), program(Path::new("npm"))) else {
            println!("NOT CHECKED: the package of push.js, since Node.js with npm is not installed");
            return Ok(());
        };
        if !npm::install(FOLDER, &PACKAGES)? {
            println!("NOT CHECKED: the package of push.js, since npm could not install {}", PACKAGES.join(" and "));
            return Ok(());
        }
        let modules = npm::modules(FOLDER)?;
        let client = workspace::root().join("client");
        let mut types = Command::new(&node);
        types.arg(modules.join("typescript/bin/tsc")).arg("--project").arg(client.join("types"));
        let mut package = Command::new(&node);
        package.arg(modules.join("publint/src/cli.js")).args(["--strict"]).arg(&client);
        let mut packing = Command::new(&npm);
        packing.args(["pack", "--dry-run", "--silent"]).current_dir(&client);
        for (what, mut check) in [("types", types), ("package", package), ("packing", packing)] {
            let status = check.status().with_context(|| format!("starting the check of push.js's {what}"))?;
            ensure!(status.success(), "push.js: the check of its {what} failed, see above");
        }
        println!("push.js: the types and the package are valid");
        Ok(())
    }
}
