//! The program under test, and the services that it is run against.

use std::process::Stdio;

use e2e::service::{Method, Service};
use serde_json::{Value, json};
use testkit::{client, soon};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};

/// The program.
pub(crate) const PUSH: &str = env!("CARGO_BIN_EXE_push");

/// The outcome of a run.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ended {
    /// The lines of standard output as JSON.
    pub(crate) fn json(&self) -> Vec<Value> {
        self.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

/// Makes a command without the variables that this process may have.
pub(crate) fn command(program: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    for variable in ["PUSH_URL", "PUSH_TOKEN", "PUSH_TOKEN_FILE", "PUSH_CA", "PUSH_JWT_SECRET", "PUSH_JWT_SECRET_FILE"]
    {
        command.env_remove(variable);
    }
    command.args(arguments).env("NO_PROXY", "*").env("no_proxy", "*").kill_on_drop(true);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Runs the program to its end.
pub(crate) async fn push(arguments: &[&str]) -> Ended {
    push_with(arguments, "").await
}

/// Runs the program to its end with an input.
pub(crate) async fn push_with(arguments: &[&str], input: &str) -> Ended {
    let mut running = Running::start(arguments);
    running.send(input).await;
    running.ended().await
}

/// Runs a line of a shell, in which `$PUSH` is the program.
pub(crate) async fn shell(line: &str) -> Ended {
    let mut command = command("bash", &["-o", "pipefail", "-c", line]);
    let output = soon(command.env("PUSH", PUSH).output()).await.unwrap();
    let [stdout, stderr] = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
    Ended { code: output.status.code(), stdout, stderr }
}

/// The program while it runs.
pub(crate) struct Running {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: Lines<BufReader<ChildStdout>>,
    stderr: Lines<BufReader<ChildStderr>>,
}

impl Running {
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let mut child = command(PUSH, arguments).stdin(Stdio::piped()).spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap()).lines();
        let stderr = BufReader::new(child.stderr.take().unwrap()).lines();
        Self { stdin: child.stdin.take(), child, stdout, stderr }
    }

    /// Follows, and waits until it is connected.
    pub(crate) async fn follow(arguments: &[&str]) -> Self {
        let mut running = Self::start(&[&["sub"], arguments].concat());
        running.said("connected to").await;
        running
    }

    /// Writes to standard input. The program may have ended.
    pub(crate) async fn send(&mut self, input: &str) {
        let _ = soon(self.stdin.as_mut().unwrap().write_all(input.as_bytes())).await;
    }

    /// The number of the process.
    pub(crate) fn id(&self) -> i32 {
        self.child.id().unwrap().try_into().unwrap()
    }

    /// Closes standard input.
    pub(crate) fn end_input(&mut self) {
        self.stdin = None;
    }

    /// Waits for a line on standard error that contains a text.
    pub(crate) async fn said(&mut self, text: &str) -> String {
        let mut others = Vec::new();
        loop {
            match soon(self.stderr.next_line()).await.unwrap() {
                Some(line) if line.contains(text) => return line,
                Some(line) => others.push(line),
                None => panic!("it ended without saying {text:?}, but {others:?}"),
            }
        }
    }

    /// Waits for the next line of standard output.
    pub(crate) async fn line(&mut self) -> Value {
        let line = soon(self.stdout.next_line()).await.unwrap();
        serde_json::from_str(&line.expect("it goes on")).unwrap()
    }

    /// Waits for messages, and returns their texts.
    pub(crate) async fn texts(&mut self, count: usize) -> Vec<String> {
        let mut texts = Vec::new();
        for _ in 0..count {
            texts.push(text(&self.line().await).to_owned());
        }
        texts
    }

    /// Waits until it has ended.
    pub(crate) async fn ended(mut self) -> Ended {
        self.end_input();
        let stdout = rest(self.stdout);
        let stderr = rest(self.stderr);
        let (stdout, stderr) = soon(async { tokio::join!(stdout, stderr) }).await;
        let code = soon(self.child.wait()).await.unwrap().code();
        Ended { code, stdout, stderr }
    }
}

async fn rest<R: AsyncRead + Unpin>(lines: Lines<BufReader<R>>) -> String {
    let mut rest = String::new();
    lines.into_inner().read_to_string(&mut rest).await.unwrap();
    rest
}

/// The text of a message.
pub(crate) fn text(message: &Value) -> &str {
    message["text"].as_str().unwrap_or_else(|| panic!("{message} is a message"))
}

/// Starts a service.
pub(crate) async fn service(method: Method, flags: &[&str]) -> Service {
    Service::started(method, flags).await.unwrap()
}

/// Waits until a service has read its history.
pub(crate) async fn ready(service: &Service) {
    let ready = async || client().get(service.url("/readyz")).send().await.unwrap().status() == 200;
    soon(async { while !ready().await {} }).await;
}

/// The flag by which each service is followed.
pub(crate) fn via(method: Method) -> &'static str {
    method.name()
}

/// The messages that a service holds.
pub(crate) async fn held(service: &Service, topic: &str) -> Vec<Value> {
    let mut held = Vec::new();
    let mut since = json!("earliest");
    loop {
        let path = format!("/messages?topic={topic}&limit=1000&since={}", since.as_str().unwrap());
        let answer = soon(async { client().get(service.url(&path)).send().await?.json::<Value>().await });
        let page = answer.await.unwrap();
        held.extend(page["messages"].as_array().unwrap().iter().cloned());
        since = page["cursor"].clone();
        if page["more"] != true {
            return held;
        }
    }
}
