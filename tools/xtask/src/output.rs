//! Lines of several programs on one terminal, distinguished by a coloured prefix.

use std::{
    env,
    io::{self, BufRead, BufReader, IsTerminal, PipeReader, Write},
    thread::{self, JoinHandle},
};

/// The name before each line of one program.
#[derive(Debug, Clone)]
pub(crate) struct Prefix(String);

impl Prefix {
    /// `colour`: the number of an ANSI colour, used only where colour is wanted.
    pub(crate) fn new(name: &str, width: usize, colour: u8) -> Self {
        if colour_wanted() {
            Self(format!("\x1b[{colour}m{name:width$} |\x1b[0m "))
        } else {
            Self(format!("{name:width$} | "))
        }
    }

    /// Prints one line. A closed standard output is no reason to stop: the services continue.
    pub(crate) fn print(&self, line: impl AsRef<[u8]>) {
        let mut out = io::stdout().lock();
        let _ = out
            .write_all(self.0.as_bytes())
            .and_then(|()| out.write_all(line.as_ref()))
            .and_then(|()| out.write_all(b"\n"));
    }

    /// Prints the lines of `source` until it ends, and passes each to `hear`.
    pub(crate) fn relay(&self, source: PipeReader, mut hear: impl FnMut(&[u8]) + Send + 'static) -> JoinHandle<()> {
        let prefix = self.clone();
        thread::spawn(move || {
            for line in BufReader::new(source).split(b'\n') {
                match line {
                    Ok(line) => {
                        hear(&line);
                        prefix.print(line);
                    }
                    Err(error) => return prefix.print(format!("(its output cannot be read: {error})")),
                }
            }
        })
    }
}

/// NO_COLOR comes first, then FORCE_COLOR and CLICOLOR_FORCE, then whether standard output is a terminal.
fn colour_wanted() -> bool {
    let set = |name| env::var_os(name).is_some_and(|value| !value.is_empty());
    let forced = |name| set(name) && env::var_os(name).is_some_and(|value| value != "0");
    !set("NO_COLOR") && (forced("FORCE_COLOR") || forced("CLICOLOR_FORCE") || io::stdout().is_terminal())
}
