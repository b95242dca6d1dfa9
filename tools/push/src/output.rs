//! Standard output: lines of JSON for programs, words for people on a terminal.

use std::io::{self, BufWriter, ErrorKind, IsTerminal, Stdout, Write};
use std::os::fd::AsFd;

use anstream::AutoStream;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use serde::Serialize;
use tokio::sync::oneshot;

use crate::exit::{Exit, Outcome};

/// Standard output.
#[derive(Debug)]
pub(crate) struct Output {
    writer: BufWriter<AutoStream<Stdout>>,
    form: Form,
}

/// The form of what is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// A JSON object per line.
    Json,
    /// Words, on a terminal.
    Words,
}

/// A thing that can be written in both forms.
pub(crate) trait Show: Serialize {
    /// The thing in words, with colours, without the line end.
    fn words(&self) -> String;
}

impl Output {
    /// Makes an output whose form is JSON where it is asked for, or where nobody looks.
    pub(crate) fn new(json: bool) -> Self {
        let form = if json || !io::stdout().is_terminal() { Form::Json } else { Form::Words };
        let stdout = match form {
            // JSON is written as it is.
            Form::Json => AutoStream::always_ansi(io::stdout()),
            Form::Words => AutoStream::auto(io::stdout()),
        };
        Self { writer: BufWriter::new(stdout), form }
    }

    pub(crate) fn form(&self) -> Form {
        self.form
    }

    /// Writes a line. It may wait for [`Output::flush`].
    pub(crate) fn write(&mut self, shown: &impl Show) -> Outcome {
        let line = match self.form {
            Form::Words => shown.words(),
            Form::Json => json(shown)?,
        };
        self.line(&line)
    }

    /// Writes a text as it is, and a line end.
    pub(crate) fn line(&mut self, text: &str) -> Outcome {
        writeln!(self.writer, "{text}").map_err(failed)
    }

    /// Hands everything to the system.
    pub(crate) fn flush(&mut self) -> Outcome {
        self.writer.flush().map_err(failed)
    }
}

/// Returns a thing as JSON, with every control character escaped: serde_json leaves those after U+007E, which terminals obey too.
fn json(shown: &impl Serialize) -> Outcome<String> {
    let json = serde_json::to_string(shown).map_err(|error| Exit::Failed(error.to_string()))?;
    if !json.contains(char::is_control) {
        return Ok(json);
    }
    let mut escaped = String::with_capacity(json.len());
    for char in json.chars() {
        match char.is_control() {
            true => escaped.push_str(&format!("\\u{:04x}", u32::from(char))),
            false => escaped.push(char),
        }
    }
    Ok(escaped)
}

/// Returns the end of a command whose output could not be written.
pub(crate) fn failed(error: io::Error) -> Exit {
    match error.kind() {
        ErrorKind::BrokenPipe => Exit::OutputClosed,
        _ => Exit::Failed(format!("standard output cannot be written: {error}")),
    }
}

/// Waits until the program that reads standard output has closed it, so that a command ends without having more to say. Where the
/// output is no pipe, this does not end.
pub(crate) async fn closed() -> Exit {
    let (sender, receiver) = oneshot::channel();
    // The thread ends with the process.
    std::thread::spawn(move || {
        let stdout = io::stdout();
        // No event is asked for: errors and the end of the other side are reported in any case.
        let mut asked = [PollFd::new(stdout.as_fd(), PollFlags::empty())];
        let came = loop {
            match poll(&mut asked, PollTimeout::NONE) {
                Err(Errno::EINTR) => {}
                came => break came,
            }
        };
        if came.is_ok() {
            // Nobody receives once the command has ended.
            let _ = sender.send(());
        }
    });
    match receiver.await {
        Ok(()) => Exit::OutputClosed,
        Err(_) => std::future::pending().await,
    }
}
