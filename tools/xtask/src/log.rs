//! What other programs said, kept in a file.

use std::{fs, path::Path};

/// All of it; nothing where it cannot be read, for it only ever explains something else.
pub(crate) fn text(log: &Path) -> String {
    String::from_utf8_lossy(&fs::read(log).unwrap_or_default()).into_owned()
}

pub(crate) fn last_lines(log: &Path, count: usize) -> String {
    let text = text(log);
    let lines: Vec<_> = text.lines().collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}
