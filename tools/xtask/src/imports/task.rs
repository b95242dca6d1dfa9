//! The command.

use std::path::Path;

use anyhow::bail;
use clap::Args;

use super::{circle::Circle, graph::Graph, package::Package};
use crate::workspace;

const HINT: &str = "\
Move what the files of a circle have in common into a file of its own that imports none of them. A file that has
children (`hub.rs`, `lib.rs`) should hold `mod` lines, re-exports and documentation; what its children import belongs
into one of the children.";

/// Fails if files of a crate import each other in a circle
///
/// Prints the files of each circle, and the names that they import. Modules for tests and the folders `tests`, `examples`
/// and `benches` do not count.
#[derive(Debug, Args)]
pub(crate) struct Imports {}

impl Imports {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        println!("{}", check(workspace::root())?);
        Ok(())
    }
}

/// Looks for circles in the workspace whose folder is `root`. Returns a summary.
///
/// # Errors
/// Fails when there are circles, and when the workspace cannot be read.
pub(super) fn check(root: &Path) -> anyhow::Result<String> {
    let packages = Package::members(root)?;
    let mut graph = Graph::default();
    for package in &packages {
        graph.add(&package.modules()?);
    }
    let circles = Circle::all(&graph);
    if circles.is_empty() {
        return Ok(format!("no circle of imports; packages: {}, files: {}", packages.len(), graph.files()));
    }
    let lines: Vec<_> = circles.iter().map(|circle| circle.lines(&graph, root)).collect();
    bail!("circles of imports: {}\n\n{}\n{HINT}", circles.len(), lines.join("\n"))
}
