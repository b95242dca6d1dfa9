//! axe-core, the rules of accessibility by which the tests judge the pages.

use std::{env, path::PathBuf};

use crate::npm;

/// The variable with the path of its file.
pub(crate) const VARIABLE: &str = "AXE_CORE";

/// The package from npm, with its version.
pub(crate) const PACKAGE: &str = "axe-core@4.14.1";

/// Returns the file that AXE_CORE names, or else that of the package, which is installed into the target folder; nothing where npm is not
/// there or cannot install it.
pub(crate) fn find_or_install() -> anyhow::Result<Option<PathBuf>> {
    if let Some(named) = env::var_os(VARIABLE).filter(|value| !value.is_empty()) {
        return Ok(Some(named.into()));
    }
    Ok(npm::install("axe-core", &[PACKAGE])?.map(|modules| modules.join("axe-core/axe.min.js")))
}
