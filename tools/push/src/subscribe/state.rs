//! The cursor in a file.

use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{fs, io};

use shared::cursor::Cursor;
use tempfile::NamedTempFile;
use tokio::time::{Instant, sleep_until};

use crate::exit::{Exit, Outcome};

/// The shortest time between two writes of the file.
const PACE: Duration = Duration::from_millis(200);

/// The file, and what is to be written to it.
#[derive(Debug)]
pub(super) struct State {
    file: PathBuf,
    unsaved: Option<String>,
    saved: Option<Instant>,
}

impl State {
    /// Reads the file. Without a file, there is no cursor.
    pub(super) fn open(file: &Path) -> Outcome<(Self, Option<String>)> {
        let failed = |reason: &dyn std::fmt::Display| Exit::Failed(format!("--state {}: {reason}", file.display()));
        let cursor = match fs::read_to_string(file) {
            Ok(text) => {
                let cursor = text.trim().to_owned();
                if cursor.parse::<Cursor>().is_err() {
                    return Err(failed(&"there is no cursor in it; remove the file to begin anew"));
                }
                Some(cursor)
            }
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(failed(&error)),
        };
        Ok((Self { file: file.to_owned(), unsaved: None, saved: None }, cursor))
    }

    /// Takes a new cursor, everything before which has been written to standard output.
    pub(super) fn reached(&mut self, cursor: &str) {
        self.unsaved = Some(cursor.to_owned());
    }

    /// Waits until the file is to be written.
    pub(super) async fn due(&self) {
        match (&self.unsaved, self.saved) {
            (Some(_), Some(saved)) => sleep_until(saved + PACE).await,
            (Some(_), None) => {}
            (None, _) => std::future::pending().await,
        }
    }

    /// Writes the file, if there is anything new, so that it has the old content or the new one at any time.
    pub(super) fn save(&mut self) -> Outcome {
        let Some(cursor) = self.unsaved.take() else { return Ok(()) };
        self.saved = Some(Instant::now());
        self.replace(&cursor)
            .map_err(|error| Exit::Failed(format!("--state {}: it cannot be written: {error}", self.file.display())))
    }

    fn replace(&self, cursor: &str) -> io::Result<()> {
        let folder = self.file.parent().filter(|folder| !folder.as_os_str().is_empty());
        let mut new = NamedTempFile::new_in(folder.unwrap_or(Path::new(".")))?;
        writeln!(new, "{cursor}")?;
        new.as_file().sync_data()?;
        new.persist(&self.file)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_as_it_was_written() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("cursor");
        let (mut state, cursor) = State::open(&file).unwrap();
        assert_eq!(cursor, None);
        state.reached("m3k9x2-42");
        state.save().unwrap();
        assert_eq!(State::open(&file).unwrap().1.as_deref(), Some("m3k9x2-42"));
        let names: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, ["cursor"], "nothing else is left in the folder");
    }

    #[test]
    fn a_file_without_a_cursor_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("cursor");
        for text in ["", "now", "a b"] {
            fs::write(&file, text).unwrap();
            assert!(matches!(State::open(&file), Err(Exit::Failed(_))), "{text:?}");
        }
    }
}
