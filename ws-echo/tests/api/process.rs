//! The process: flags, signals, exit codes.

use std::net::{SocketAddr, TcpListener};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use reqwest::Client;
use testkit::{Process, soon};

use crate::helpers::Ws;

const PROGRAM: &str = env!("CARGO_BIN_EXE_ws-echo");

const FLAGS: &[&str] = &[
    "--listen",
    "--tick",
    "--tick-text",
    "--history",
    "--history-age",
    "--history-bytes",
    "--heartbeat",
    "--reply-prefix",
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

async fn follow(address: SocketAddr) -> Ws {
    let mut feed = Ws::open_at(address, "/feed").await;
    assert_eq!(feed.json().await["type"], "welcome");
    feed
}

#[tokio::test]
async fn on_sigterm_and_sigint_clients_get_what_was_accepted_and_it_exits_with_0() {
    for stop in [Signal::SIGTERM, Signal::SIGINT] {
        let (process, address) = start(&["--drain", "1s"]).await;
        let mut clients = [follow(address).await, follow(address).await];
        let publish = Client::new().post(format!("http://{address}/messages")).body("accepted");
        assert_eq!(soon(publish.send()).await.unwrap().status(), 201);
        signal(&process, stop);
        for client in &mut clients {
            assert_eq!(client.texts(1).await, ["accepted"]);
            assert_eq!(client.close_code().await, 1012);
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
    let (mut process, address) = start(&["--drain", "1h"]).await;
    let feed = follow(address).await;
    signal(&process, Signal::SIGTERM);
    process.line_with("\"draining\"").await;
    signal(&process, Signal::SIGTERM);
    let exit = process.ended().await;
    assert!(exit.code.is_some_and(|code| code != 0), "{exit:?}");
    drop(feed);
}

#[tokio::test]
async fn its_healthcheck_tells_whether_it_is_ready() {
    let (mut process, address) = start(&["--drain", "1h"]).await;
    let ask = ["healthcheck", "--listen", &address.to_string()];
    assert_eq!(Process::run(PROGRAM, &ask).await.code, Some(0));

    let feed = follow(address).await;
    signal(&process, Signal::SIGTERM);
    process.line_with("\"draining\"").await;
    let exit = Process::run(PROGRAM, &ask).await;
    assert_eq!(exit.code, Some(1));
    assert!(exit.stderr.contains("shutting down"), "{exit:?}");
    drop(feed);
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
    assert_eq!((exit.code, exit.stdout), (Some(0), concat!("ws-echo ", env!("CARGO_PKG_VERSION"), "\n").to_owned()));

    let exit = Process::run(PROGRAM, &["--help"]).await;
    assert_eq!(exit.code, Some(0));
    for &flag in FLAGS {
        assert!(exit.stdout.split_whitespace().any(|word| word == flag), "{flag} is not in {}", exit.stdout);
    }
}
