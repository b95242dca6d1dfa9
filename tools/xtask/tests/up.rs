//! `cargo xtask up` as a process, with its output and Ctrl-C.

#![allow(clippy::unwrap_used)]

use std::{
    collections::{HashMap, HashSet},
    env, fs,
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::mpsc::{self, Receiver},
    thread,
    time::Duration,
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

const SERVICES: [&str; 3] = ["ws-echo", "longpoll-server", "sse-server"];

/// The longest time for anything. While the task builds, it says every 2 seconds how far it is.
const PATIENCE: Duration = Duration::from_secs(30);

/// The task and its output. It is killed when dropped, and the processes that it has started die with it.
struct Up {
    child: Child,
    lines: Receiver<String>,
}

impl Up {
    fn start(flags: &[&str], nats_server: Option<&str>) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
        command.arg("up").args(flags).args(["--", "--listen", "127.0.0.1:0", "--tick", "0", "--log-format", "json"]);
        if let Some(nats_server) = nats_server {
            command.env("NATS_SERVER", nats_server);
        }
        let mut child = command
            .env("NO_COLOR", "1")
            .env_remove("PUSH_NATS")
            .env_remove("PUSH_DATA")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (sender, lines) = mpsc::channel();
        let streams: [Box<dyn Read + Send>; 2] =
            [Box::new(child.stdout.take().unwrap()), Box::new(child.stderr.take().unwrap())];
        for stream in streams {
            let sender = sender.clone();
            thread::spawn(move || {
                for line in BufReader::new(stream).lines().map_while(Result::ok) {
                    // A test that has read enough does not listen any more.
                    let _ = sender.send(line);
                }
            });
        }
        Self { child, lines }
    }

    /// Returns the next line of its output.
    fn line(&self) -> String {
        self.lines.recv_timeout(PATIENCE).expect("it says more")
    }

    /// Returns the addresses on which the services listen, once all of them have logged `message` too. The other lines
    /// are kept in `said`.
    fn addresses(&self, message: &str, said: &mut Vec<String>) -> HashMap<String, SocketAddr> {
        let (mut addresses, mut others) = (HashMap::new(), HashSet::new());
        while addresses.len() < SERVICES.len() || others.len() < SERVICES.len() {
            let line = self.line();
            let name = line.split('|').next().unwrap_or_default().trim().to_owned();
            if line.contains(message) {
                others.insert(name.clone());
            }
            if let Some((_, rest)) = line.split_once("\"listening\"").and(line.split_once("\"address\":\"")) {
                addresses.insert(name, rest.split('"').next().unwrap().parse().unwrap());
            }
            said.push(line);
        }
        addresses
    }

    fn interrupt(&self) {
        kill(Pid::from_raw(self.child.id().try_into().unwrap()), Signal::SIGINT).unwrap();
    }

    /// Returns its exit code and the rest of its output, which ends when the last process that it has started has ended.
    fn ended(mut self) -> (Option<i32>, String) {
        let mut rest = String::new();
        loop {
            match self.lines.recv_timeout(PATIENCE) {
                Ok(line) => rest = rest + &line + "\n",
                Err(mpsc::RecvTimeoutError::Disconnected) => break,
                Err(mpsc::RecvTimeoutError::Timeout) => panic!("it does not end: {rest}"),
            }
        }
        (self.child.wait().unwrap().code(), rest)
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends a request, and reads until the answer contains a text.
fn ask(address: SocketAddr, request: &str, body: &str, wanted: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(stream, "{request} HTTP/1.1\r\nhost: test\r\ncontent-length: {}\r\n\r\n{body}", body.len()).unwrap();
    let mut answer = String::new();
    let mut piece = [0; 1024];
    while !answer.contains(wanted) {
        let length = stream.read(&mut piece).expect("more comes in time");
        assert!(length > 0, "{wanted:?} is not in {answer}");
        answer.push_str(&String::from_utf8_lossy(&piece[..length]));
    }
    answer
}

#[test]
fn with_nats_the_three_have_one_history_and_ctrl_c_ends_all() {
    let up = Up::start(&["--nats"], None);
    let mut said = Vec::new();
    let addresses = up.addresses("\"following the stream\"", &mut said);
    let url = said.iter().find_map(|line| line.split_once("| nats-server: nats://"));
    let nats: SocketAddr = url.expect("it says where NATS listens").1.parse().unwrap();
    let store = env::temp_dir().join(format!("push-nats-{}", up.child.id()));
    assert!(store.is_dir() && TcpStream::connect(nats).is_ok());

    ask(addresses["ws-echo"], "POST /messages?topic=news", "to everyone", " 201 ");
    ask(addresses["longpoll-server"], "GET /poll?topic=news&since=earliest&wait=20", "", "to everyone");
    ask(addresses["sse-server"], "GET /events?topic=news&since=earliest", "", "to everyone");

    up.interrupt();
    let (code, rest) = up.ended();
    assert_eq!(code, Some(0), "{rest}");
    let shutdown = rest.find("Initiating Shutdown").expect("NATS is sent its signal to end");
    let ended_before = SERVICES.iter().all(|name| rest[..shutdown].contains(name) && !rest[shutdown..].contains(name));
    assert!(ended_before, "NATS ends last: {rest}");
    assert!(TcpStream::connect(nats).is_err(), "NATS has ended");
    assert!(!store.exists(), "what it stored is gone");
}

#[test]
fn if_nats_ends_so_do_the_three() {
    let up = Up::start(&["--nats"], None);
    let mut said = Vec::new();
    up.addresses("\"following the stream\"", &mut said);
    // Each line of its log begins with the number of its process.
    let number = said.iter().find_map(|line| line.split_once("| [")?.1.split_once(']')).expect("NATS logs");
    kill(Pid::from_raw(number.0.parse().unwrap()), Signal::SIGKILL).unwrap();
    let (code, rest) = up.ended();
    assert_eq!(code, Some(1), "{rest}");
    assert!(rest.contains("nats-server ended by itself"), "{rest}");
}

/// A directory that is removed when this is dropped.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        Self(env::temp_dir().join(format!("push-up-{name}-{}", std::process::id())))
    }

    fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // A test that failed early has not made it.
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn the_three_have_one_history_which_a_restart_continues() {
    let directory = Scratch::new("data");
    let flags = ["--data", directory.path()];
    // NATS is not even looked for.
    let up = Up::start(&flags, Some("/no/such/program"));
    let mut said = Vec::new();
    let addresses = up.addresses("\"following the history\"", &mut said);
    assert!(said.iter().any(|line| line.contains(directory.path()) && line.contains("is kept")), "{said:?}");
    ask(addresses["ws-echo"], "POST /messages?topic=news", "to everyone", " 201 ");
    let epoch = epoch(addresses["longpoll-server"]);
    ask(addresses["sse-server"], "GET /events?topic=news&since=earliest", "", "to everyone");
    up.interrupt();
    let (code, rest) = up.ended();
    assert_eq!(code, Some(0), "{rest}");

    let up = Up::start(&flags, None);
    let addresses = up.addresses("\"following the history\"", &mut Vec::new());
    for address in addresses.values() {
        ask(*address, &format!("GET /messages?topic=news&since={epoch}-0"), "", "\"text\":\"to everyone\"");
    }
}

#[test]
fn with_separate_histories_a_message_stays_where_it_was_published() {
    let up = Up::start(&["--separate"], None);
    let mut said = Vec::new();
    let addresses = up.addresses("\"listening\"", &mut said);
    assert!(said.iter().any(|line| line.contains("one for each service")), "{said:?}");
    ask(addresses["ws-echo"], "POST /messages?topic=news", "to one", " 201 ");
    ask(addresses["ws-echo"], "GET /messages?topic=news", "", "to one");
    ask(addresses["sse-server"], "GET /messages?topic=news", "", "\"messages\":[]");
    up.interrupt();
    let (code, rest) = up.ended();
    assert_eq!(code, Some(0), "{rest}");
}

/// Asks a service for the epoch of its history.
fn epoch(address: SocketAddr) -> String {
    let answer = ask(address, "GET /messages?since=now", "", "\"more\"");
    let (_, cursor) = answer.split_once("\"cursor\":\"").unwrap();
    cursor.split('-').next().unwrap().to_owned()
}

#[test]
fn without_nats_server_there_is_no_nats() {
    let (code, rest) = Up::start(&["--nats"], Some("/no/such/program")).ended();
    assert_eq!(code, Some(1), "{rest}");
    assert!(rest.contains("NATS_SERVER is /no/such/program"), "{rest}");
}
