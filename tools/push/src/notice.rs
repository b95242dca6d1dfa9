//! Lines on standard error: what happens, in words for people.

use std::fmt;
use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use anstyle::{AnsiColor, Style};

/// Says why the command ends.
pub(crate) fn error(message: &str) {
    line(AnsiColor::Red.on_default().bold(), "error", message);
}

/// Says what was not as it should be.
pub(crate) fn warning(message: &str) {
    line(AnsiColor::Yellow.on_default().bold(), "push", message);
}

/// Says that something failed, and is tried again after a pause.
pub(crate) fn trying_again(failure: &dyn fmt::Display, pause: Duration) {
    warning(&format!("{failure}; trying again in {:.1} s", pause.as_secs_f64()));
}

/// Says what goes on as it should.
pub(crate) fn info(message: &str) {
    line(AnsiColor::Green.on_default().bold(), "push", message);
}

fn line(style: Style, name: &str, message: &str) {
    // Nobody may read standard error any more.
    let _ = writeln!(anstream::stderr(), "{style}{name}{style:#}: {}", harmless(message));
}

/// A line on a terminal that is written over by the next one.
#[derive(Debug)]
pub(crate) struct Progress {
    /// Standard error is a terminal.
    shows: bool,
    is_there: bool,
}

impl Progress {
    pub(crate) fn new() -> Self {
        Self { shows: io::stderr().is_terminal(), is_there: false }
    }

    /// Shows a text in place of the one before.
    pub(crate) fn show(&mut self, text: &str) {
        if self.shows {
            self.is_there = true;
            let _ = write!(io::stderr(), "\r\x1b[K{text}");
        }
    }

    /// Removes the line.
    pub(crate) fn clear(&mut self) {
        if std::mem::take(&mut self.is_there) {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.clear();
    }
}

/// Returns a text with its control characters written out, so that nobody who publishes can send commands to a terminal.
pub(crate) fn harmless(text: &str) -> String {
    let mut harmless = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '\n' | '\t' => harmless.push(char),
            _ if char.is_control() => harmless.extend(char.escape_default()),
            _ => harmless.push(char),
        }
    }
    harmless
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_reach_no_terminal() {
        assert_eq!(harmless("a\x1b[2Jb\u{9b}c\r\n\té服"), "a\\u{1b}[2Jb\\u{9b}c\\r\n\té服");
    }
}
