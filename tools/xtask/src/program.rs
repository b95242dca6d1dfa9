//! Programs on this machine.

use std::{
    env,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use anyhow::Context;

/// Returns the program that the variable names, or the first of `candidates` that is installed.
pub(crate) fn named_or_installed(variable: &str, candidates: &[&str]) -> anyhow::Result<Option<PathBuf>> {
    match env::var_os(variable).filter(|value| !value.is_empty()) {
        Some(value) => {
            let path = program(Path::new(&value))
                .with_context(|| format!("{variable} is {}, which is not a program here", value.display()))?;
            Ok(Some(path))
        }
        None => Ok(candidates.iter().find_map(|candidate| program(Path::new(candidate)))),
    }
}

/// The path of a program, looked up on the path if only its name is given.
pub(crate) fn program(name: &Path) -> Option<PathBuf> {
    let runs =
        |path: &PathBuf| path.metadata().is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0);
    if name.components().count() > 1 {
        return Some(name.to_owned()).filter(runs);
    }
    env::split_paths(&env::var_os("PATH")?).map(|folder| folder.join(name)).find(runs)
}
