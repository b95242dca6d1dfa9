//! axe-core, the rules of accessibility by which the tests judge the pages.

use std::{env, fs, path::PathBuf};

use crate::npm;

/// The variable with the path of its file.
pub(crate) const VARIABLE: &str = "AXE_CORE";

/// The package's folder within the target folder, and its version.
const FOLDER: &str = "axe-core";
const VERSION: &str = "4.14.1";

/// The words for its absence.
pub(crate) const MISSING: &str =
    "NOT CHECKED: the accessibility of the pages, since axe-core is missing, which npm would install";

/// Returns the file that AXE_CORE names, or else that of the package, which is installed into the target folder; nothing where npm is not
/// there or cannot install it.
pub(crate) fn find_or_install() -> anyhow::Result<Option<PathBuf>> {
    if let Some(named) = env::var_os(VARIABLE).filter(|value| !value.is_empty()) {
        return Ok(Some(named.into()));
    }
    let file = npm::modules(FOLDER)?.join("axe-core/axe.min.js");
    // Its first line is a comment with the version.
    let is_there = fs::read_to_string(&file).is_ok_and(|text| text.starts_with(&format!("/*! axe v{VERSION}\n")));
    let is_installed = is_there || npm::install(FOLDER, &[&format!("axe-core@{VERSION}")])?;
    Ok(is_installed.then_some(file))
}
