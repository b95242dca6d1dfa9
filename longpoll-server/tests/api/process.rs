//! The process: flags, signals, exit codes.

use std::net::{SocketAddr, TcpListener};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use testkit::{Process, RawClient};

const PROGRAM: &str = env!("CARGO_BIN_EXE_longpoll-server");

const FLAGS: &[&str] = &[
    "--listen",
    "--tick",
    "--tick-text",
    "--history",
    "--history-age",
    "--history-bytes",
    "--heartbeat",
    "--hold",
    "--drain",
    "--max-connections",
    "--max-message-bytes",
    "--write-timeout",
    "--log",
    "--log-format",
];

/// Starts the service as a process, and returns where it listens.
async fn start(args: &[&str]) -> (Process, SocketAddr) {
    let quiet = ["--listen", "127.0.0.1:0", "--log-format", "json", "--tick", "0"];
    let mut process = Process::start(PROGRAM, &[&quiet, args].concat());
    let address = process.logged("listening", "address").await;
    (process, address.parse().unwrap())
}

fn signal(process: &Process, signal: Signal) {
    kill(Pid::from_raw(process.id()), signal).unwrap();
}

/// Sends a poll, and returns once the service has begun to look at it.
async fn poll(address: SocketAddr) -> RawClient {
    let mut client = RawClient::connect(address).await;
    // A connection serves one request after the other.
    client.send("GET /livez HTTP/1.1\r\nhost: test\r\n\r\nGET /poll?since=now HTTP/1.1\r\nhost: test\r\n\r\n").await;
    client.read_until("live\"}").await;
    client
}

/// Begins a request that the service has to wait for.
async fn occupy(address: SocketAddr) -> RawClient {
    let mut client = RawClient::connect(address).await;
    client.send("POST /messages HTTP/1.1\r\nhost: test\r\ncontent-length: 5\r\nexpect: 100-continue\r\n\r\n").await;
    client.read_until("100 Continue\r\n\r\n").await;
    client
}

#[tokio::test]
async fn on_sigterm_and_sigint_polls_are_answered_and_it_exits_with_0() {
    for stop in [Signal::SIGTERM, Signal::SIGINT] {
        let (process, address) = start(&["--drain", "1s"]).await;
        let mut clients = [poll(address).await, poll(address).await];
        signal(&process, stop);
        for client in &mut clients {
            // It was held, or came a moment too late to be.
            let answer = client.read_to_end().await;
            assert!(answer.contains("\"messages\":[]") || answer.contains("\"draining\""), "{answer}");
        }
        assert_eq!(process.ended().await.code, Some(0), "{stop}");
    }
}

#[tokio::test]
async fn a_signal_is_heeded_as_soon_as_it_says_that_it_listens() {
    for _ in 0..5 {
        let (process, _) = start(&[]).await;
        signal(&process, Signal::SIGTERM);
        assert_eq!(process.ended().await.code, Some(0), "the signal was not waited for yet");
    }
}

#[tokio::test]
async fn a_second_signal_ends_it_at_once() {
    let (mut process, address) = start(&["--drain", "1h", "--read-timeout", "1h"]).await;
    let client = occupy(address).await;
    signal(&process, Signal::SIGTERM);
    process.line_with("\"draining\"").await;
    signal(&process, Signal::SIGTERM);
    let exit = process.ended().await;
    assert!(exit.code.is_some_and(|code| code != 0), "{exit:?}");
    drop(client);
}

#[tokio::test]
async fn its_healthcheck_tells_whether_it_is_ready() {
    let (mut process, address) = start(&["--drain", "1h", "--read-timeout", "1h"]).await;
    let ask = ["healthcheck", "--listen", &address.to_string()];
    assert_eq!(Process::run(PROGRAM, &ask).await.code, Some(0));

    let client = occupy(address).await;
    signal(&process, Signal::SIGTERM);
    process.line_with("\"draining\"").await;
    let exit = Process::run(PROGRAM, &ask).await;
    assert_eq!(exit.code, Some(1));
    assert!(exit.stderr.contains("shutting down"), "{exit:?}");
    drop(client);
}

#[tokio::test]
async fn an_address_that_is_taken_is_said_with_the_flag_to_change_it() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let exit = Process::run(PROGRAM, &["--listen", &taken.local_addr().unwrap().to_string()]).await;
    assert_eq!(exit.code, Some(1));
    assert!(exit.stderr.contains("--listen"), "{exit:?}");
}

#[tokio::test]
async fn flags_that_make_no_sense_are_refused() {
    for (args, code, said) in [
        (&["--no-such-flag"][..], 2, "--no-such-flag"),
        (&["--heartbeat", "0"], 2, "--heartbeat"),
        (&["--listen", "nowhere"], 2, "--listen"),
        (&["--listen", "127.0.0.1:0", "--history-bytes", "1KiB"], 1, "--history-bytes"),
    ] {
        let exit = Process::run(PROGRAM, args).await;
        assert_eq!(exit.code, Some(code), "{args:?}: {exit:?}");
        assert!(exit.stderr.contains(said), "{args:?}: {exit:?}");
    }
}

#[tokio::test]
async fn it_tells_its_version_and_every_flag() {
    let exit = Process::run(PROGRAM, &["--version"]).await;
    assert_eq!(
        (exit.code, exit.stdout),
        (Some(0), concat!("longpoll-server ", env!("CARGO_PKG_VERSION"), "\n").to_owned())
    );

    let exit = Process::run(PROGRAM, &["--help"]).await;
    assert_eq!(exit.code, Some(0));
    for &flag in FLAGS {
        assert!(exit.stdout.split_whitespace().any(|word| word == flag), "{flag} is not in {}", exit.stdout);
    }
}
