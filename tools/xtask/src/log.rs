//! Files with the output of other programs.

use std::{fs, path::Path};

/// The whole text; empty if it cannot be read, since it only explains other errors.
pub(crate) fn text(log: &Path) -> String {
    String::from_utf8_lossy(&fs::read(log).unwrap_or_default()).into_owned()
}

pub(crate) fn last_lines(log: &Path, count: usize) -> String {
    let text = text(log);
    let lines: Vec<_> = text.lines().collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}
