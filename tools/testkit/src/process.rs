//! A service as a process of its own, for what only a process has: signals, an exit code, a log.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};

use anyhow::bail;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::timeout;

use crate::soon::{PATIENCE, soon};

/// A child process, killed when dropped. Its output is read all the time, so it never waits for the test.
#[derive(Debug)]
pub struct Process {
    child: Child,
    stdout: UnboundedReceiver<String>,
    stderr: UnboundedReceiver<String>,
}

/// The outcome of a process.
#[derive(Debug)]
pub struct Exit {
    /// The exit code. `None` if a signal ended it.
    pub code: Option<i32>,
    /// The bytes that it wrote to standard output.
    pub stdout: String,
    /// The lines of standard error that no test has waited for.
    pub stderr: String,
}

impl Process {
    /// Starts a program.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn start(program: &str, args: &[&str]) -> Self {
        Self::start_with(program, args, &[])
    }

    /// Starts a program with environment variables beside those of this process.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn start_with(program: &str, args: &[&str], variables: &[(&str, &str)]) -> Self {
        let mut child = Command::new(program)
            .args(args)
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let stdout = lines(child.stdout.take().expect("it is piped"));
        let stderr = lines(child.stderr.take().expect("it is piped"));
        Self { child, stdout, stderr }
    }

    /// Runs a program to its end.
    ///
    /// # Panics
    /// When it does not end in time.
    pub async fn run(program: &str, args: &[&str]) -> Exit {
        Self::start(program, args).ended().await
    }

    /// Its number, to send signals to.
    pub fn id(&self) -> i32 {
        self.child.id().try_into().expect("process ids are positive")
    }

    /// Waits for a line on standard error that contains a text.
    ///
    /// # Panics
    /// When it does not come in time, or the process ends without it.
    pub async fn line_with(&mut self, text: &str) -> String {
        self.try_line_with(text).await.unwrap_or_else(|error| panic!("{error}"))
    }

    /// Does what [`Process::line_with`] does, for programs that are not tests alone.
    ///
    /// # Errors
    /// When it does not come in time, or the process ends without it.
    pub async fn try_line_with(&mut self, text: &str) -> anyhow::Result<String> {
        let mut others = String::new();
        loop {
            match timeout(PATIENCE, self.stderr.recv()).await {
                Ok(Some(line)) if line.contains(text) => return Ok(line),
                Ok(Some(line)) => others.push_str(&line),
                Ok(None) => bail!("the process ended without {text:?}: {others}"),
                Err(_) => bail!("{text:?} did not come within {PATIENCE:?}: {others}"),
            }
        }
    }

    /// Waits for a line of a log of JSON objects, and returns the text of one of its fields.
    ///
    /// # Panics
    /// When it does not come in time, or has no such field.
    pub async fn logged(&mut self, message: &str, field: &str) -> String {
        let line = self.line_with(&format!("{message:?}")).await;
        let value = line.split_once(&format!("{field:?}:\"")).and_then(|(_, rest)| rest.split_once('"'));
        value.unwrap_or_else(|| panic!("{field:?} is not in {line}")).0.to_owned()
    }

    /// Waits until it has ended.
    ///
    /// # Panics
    /// When it does not end in time.
    pub async fn ended(mut self) -> Exit {
        let (stdout, stderr) = (rest(&mut self.stdout).await, rest(&mut self.stderr).await);
        // Both streams have ended, so this waits for no more than the system.
        let code = self.child.wait().expect("it is a child").code();
        Exit { code, stdout, stderr }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // An error means that it has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn lines(stream: impl Read + Send + 'static) -> UnboundedReceiver<String> {
    let (sender, receiver) = unbounded_channel();
    std::thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            // A test that has read enough does not receive; the process goes on all the same.
            let _ = sender.send(line + "\n");
        }
    });
    receiver
}

async fn rest(lines: &mut UnboundedReceiver<String>) -> String {
    let mut rest = String::new();
    while let Some(line) = soon(lines.recv()).await {
        rest.push_str(&line);
    }
    rest
}
