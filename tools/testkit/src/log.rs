//! Tests of a service's log.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::process::{Child, ChildStderr, Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::metrics::Samples;
use crate::process::Process;
use crate::raw::get;
use crate::service::Service;
use crate::service_program::signal;

/// The variable RUST_LOG sets the level where no flag does, and is reported if it is not understood.
pub async fn rust_log_counts_where_no_flag_does<S: Service>() {
    let flags = ["--listen", "127.0.0.1:0", "--log-format", "json", "--tick", "0", "--drain", "0"];
    let start = |more: &[&str], level| {
        Process::start_with(S::PROGRAM.path, &[&flags[..], more].concat(), &[("RUST_LOG", level)])
    };
    let mut process = start(&[], "warn,serving=debug");
    let address = process.logged("listening", "address").await.parse().expect("the log has an address");
    assert!(get(address, "/messages?since=\u{7f}").await.starts_with("HTTP/1.1 400 "));
    process.line_with("\"DEBUG\"").await;
    start(&["--log", "info"], "error").logged("listening", "address").await;
    let warning = start(&[], "serving=loud").line_with("RUST_LOG is not understood").await;
    assert!(warning.contains("WARN") && warning.contains("write it as for --log"), "{warning}");
}

/// A line of the log has the same level, text and fields as text and as JSON.
pub async fn the_log_says_the_same_as_text_and_as_json<S: Service>() {
    let flags = ["--listen", "127.0.0.1:0", "--tick", "0", "--drain", "0", "--log-format"];
    let mut json = Process::start(S::PROGRAM.path, &[&flags[..], &["json"]].concat());
    let mut text = Process::start(S::PROGRAM.path, &[&flags[..], &["text"]].concat());
    for (message, level) in [("listening", "INFO"), ("draining", "INFO"), ("stopped", "INFO")] {
        if message == "draining" {
            for process in [&json, &text] {
                signal(process, Signal::SIGTERM);
            }
        }
        let line: Value = serde_json::from_str(&json.line_with(&format!("{message:?}")).await).expect("JSON");
        let line = line.as_object().expect("an object");
        let written = text.line_with(&format!(": {message} ")).await;
        assert!(line["level"] == level && written.contains(level), "{line:?} {written}");
        let target = line["target"].as_str().expect("a text");
        let (head, fields) = written.trim_end().split_once(&format!("{target}: {message} ")).expect("it is in there");
        let time = head.split_whitespace().next().expect("a time").len();
        assert_eq!(time, line["timestamp"].as_str().expect("a text").len(), "{written}");
        let mut names: Vec<&str> = fields.split(' ').filter_map(|field| Some(field.split_once('=')?.0)).collect();
        names.sort_unstable();
        let of_every_line = ["level", "message", "target", "timestamp"];
        let named: Vec<&str> = line.keys().map(String::as_str).filter(|key| !of_every_line.contains(key)).collect();
        assert_eq!(names, named, "{written}");
        assert!(!names.is_empty(), "{written}");
    }
}

/// A log that nobody reads holds up nobody, and reports how many lines it has dropped once it is read.
pub async fn a_log_that_nobody_reads_holds_up_nobody<S: Service>() {
    let flags = ["--listen", "127.0.0.1:0", "--log-format", "json", "--tick", "0", "--log", "trace", "--drain", "0"];
    let mut process = Unread::start(S::PROGRAM.path, &flags);
    let address = process.line_with("\"listening\"");
    let (_, address) = address.split_once("\"address\":\"").expect("the log has an address");
    let address: SocketAddr = address.split_once('"').expect("it ends").0.parse().expect("it is one");
    for _ in 0..3000 {
        assert!(get(address, "/livez").await.starts_with("HTTP/1.1 200 "));
    }
    let dropped = Samples::of(address).await.sum("push_log_lines_dropped_total", &[]);
    assert!(dropped > 0.0, "the lines that nobody reads are counted");
    kill(Pid::from_raw(process.child.id() as i32), Signal::SIGTERM).expect("the process is there");
    let line = process.line_with("lines of the log were dropped");
    let reported: Value = serde_json::from_str(&line).expect("JSON");
    assert!(reported["dropped"].as_f64().is_some_and(|reported| reported >= dropped), "{reported} {dropped}");
}

/// A process whose log is read only when the test asks for a line. Killed when dropped.
struct Unread {
    child: Child,
    log: BufReader<ChildStderr>,
}

impl Unread {
    fn start(program: &str, flags: &[&str]) -> Self {
        let mut command = Command::new(program);
        let mut child = command.args(flags).stderr(Stdio::piped()).spawn().expect("the program starts");
        let log = BufReader::new(child.stderr.take().expect("it is piped"));
        Self { child, log }
    }

    fn line_with(&mut self, text: &str) -> String {
        let mut lines = self.log.by_ref().lines().map_while(Result::ok);
        lines.find(|line| line.contains(text)).unwrap_or_else(|| panic!("the log ended without {text:?}"))
    }
}

impl Drop for Unread {
    fn drop(&mut self) {
        // An error means that it has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
