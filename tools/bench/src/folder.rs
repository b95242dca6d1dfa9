//! A folder for what servers store during a measurement.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use nix::sys::statfs::{TMPFS_MAGIC, statfs};

/// A folder in the system's folder for temporary files. When dropped, it is removed with all that is in it.
#[derive(Debug)]
pub struct Folder(PathBuf);

impl Folder {
    /// Makes an empty one. `kind` becomes a part of its name.
    ///
    /// # Errors
    /// Fails when it cannot be made.
    pub fn new(kind: &str) -> anyhow::Result<Self> {
        let name = format!("bench-{kind}-{}-{:08x}", std::process::id(), fastrand::u32(..));
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).with_context(|| format!("making {}", path.display()))?;
        Ok(Self(path))
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // A folder that remains is untidy, not wrong.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Fails if such folders are in memory, where syncing costs nothing.
pub(crate) fn ensure_on_disk() -> anyhow::Result<()> {
    let path = std::env::temp_dir();
    let kind = statfs(&path).with_context(|| format!("the file system of {}", path.display()))?.filesystem_type();
    ensure!(
        kind != TMPFS_MAGIC,
        "{} is in memory (tmpfs), where syncing costs nothing: name a folder on a disk in the variable TMPDIR",
        path.display()
    );
    Ok(())
}
