//! Tests of a service as a process: flags, signals, exit codes.

use std::net::{SocketAddr, TcpListener};

use nix::sys::signal::Signal;

use crate::process::Process;
use crate::publish::publish_at;
use crate::service::{Service, Streaming};
use crate::service_program::signal;

/// The flags of every service on which operators rely.
const FLAGS: &[&str] = &[
    "--listen",
    "--tick",
    "--tick-text",
    "--history",
    "--history-age",
    "--history-bytes",
    "--nats",
    "--nats-credentials",
    "--nats-user",
    "--nats-password",
    "--nats-ca",
    "--nats-stream",
    "--nats-replicas",
    "--publish-timeout",
    "--heartbeat",
    "--drain",
    "--max-connections",
    "--max-message-bytes",
    "--write-timeout",
    "--read-timeout",
    "--idle-timeout",
    "--max-head-bytes",
    "--max-body-bytes",
    "--allow-origin",
    "--log",
    "--log-format",
];

/// SIGTERM and SIGINT both let clients have the messages that were accepted, and the service exits with 0.
pub async fn a_signal_lets_clients_have_what_was_accepted<S: Streaming>() {
    for stop in [Signal::SIGTERM, Signal::SIGINT] {
        let (process, address) = S::PROGRAM.start(&["--drain", "1s"]).await;
        let clients = [S::follow(address, "").await, S::follow(address, "").await];
        publish_at(address, "main", "accepted").await;
        signal(&process, stop);
        for client in clients {
            assert_eq!(S::rest(client).await, ["accepted"]);
        }
        assert_eq!(process.ended().await.code, Some(0), "{stop}");
    }
}

/// A signal is heeded from the line of the log on that reports that the service listens.
pub async fn an_early_signal_is_heeded<S: Service>() {
    for _ in 0..5 {
        let (process, _) = S::PROGRAM.start(&[]).await;
        signal(&process, Signal::SIGTERM);
        assert_eq!(process.ended().await.code, Some(0), "the signal was not waited for yet");
    }
}

/// A second signal ends the process at once.
pub async fn a_second_signal_ends_the_process<S: Service>() {
    let (process, _, _client) = S::PROGRAM.start_draining().await;
    signal(&process, Signal::SIGTERM);
    let exit = process.ended().await;
    assert!(exit.code.is_some_and(|code| code != 0), "{exit:?}");
}

/// The command `healthcheck` reports whether the service is ready.
pub async fn healthcheck_reports_whether_the_service_is_ready<S: Service>() {
    let (_process, address) = S::PROGRAM.start(&[]).await;
    let ask = ["healthcheck", "--listen", &address.to_string()];
    assert_eq!(Process::run(S::PROGRAM.path, &ask).await.code, Some(0));

    let (_process, address, _client) = S::PROGRAM.start_draining().await;
    let ask = ["healthcheck", "--listen", &address.to_string()];
    let exit = Process::run(S::PROGRAM.path, &ask).await;
    assert_eq!(exit.code, Some(1));
    assert!(exit.stderr.contains("shutting down"), "{exit:?}");
}

/// The error about an address in use names the flag to change.
pub async fn an_address_in_use_is_reported_with_its_flag<S: Service>() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("a bound listener has an address").to_string();
    let exit = Process::run(S::PROGRAM.path, &["--listen", &address]).await;
    assert_eq!(exit.code, Some(1));
    assert!(exit.stderr.contains("--listen"), "{exit:?}");
}

/// Flags that make no sense are refused by name.
pub async fn flags_that_make_no_sense_are_refused<S: Service>() {
    for (flags, code, named) in [
        (&["--no-such-flag"][..], 2, "--no-such-flag"),
        (&["--heartbeat", "0"], 2, "--heartbeat"),
        (&["--listen", "127.0.0.1:0", "--nats", "http://localhost"], 1, "nats://localhost:4222"),
        (&["--nats-replicas", "2"], 2, "1, 3 or 5"),
        (&["--nats-user", "u"], 2, "--nats-password"),
        (&["--listen", "nowhere"], 2, "--listen"),
        (&["--listen", "example.org:80"], 2, "localhost:PORT"),
        (&["--allow-origin", "https://Example.org/"], 2, "https://example.org"),
        (&["--allow-origin", "https://a.example, https://b.example"], 2, "https://b.example"),
        (&["--allow-origin", "example.org"], 2, "https://example.org"),
        (&["--allow-origin", ""], 2, "--allow-origin"),
        (&["--idle-timeout", "0"], 2, "--idle-timeout"),
        (&["--listen", "127.0.0.1:0", "--history-bytes", "1KiB"], 1, "--history-bytes"),
    ] {
        let exit = Process::run(S::PROGRAM.path, flags).await;
        assert_eq!(exit.code, Some(code), "{flags:?}: {exit:?}");
        assert!(exit.stderr.contains(named), "{flags:?}: {exit:?}");
    }
}

/// The address may be that of all interfaces or of the machine itself, and the command `healthcheck` takes the same.
pub async fn an_address_is_understood_by_the_service_and_its_healthcheck<S: Service>() {
    for host in ["", "localhost", "127.0.0.1"] {
        let mut process = Process::start(S::PROGRAM.path, &["--listen", &format!("{host}:0"), "--log-format", "json"]);
        let address: SocketAddr = process.logged("listening", "address").await.parse().expect("it is an address");
        assert_eq!(address.ip().is_unspecified(), host.is_empty(), "{address}");
        let ask = ["healthcheck", "--listen", &format!("{host}:{}", address.port())];
        let exit = Process::run(S::PROGRAM.path, &ask).await;
        assert_eq!(exit.code, Some(0), "{ask:?}: {exit:?}");
    }
    let help = Process::run(S::PROGRAM.path, &["--help"]).await.stdout;
    assert!(help.contains("[default: :"), "{help}");
}

/// An environment variable that is empty counts as one that is not set, whatever its flag.
pub async fn an_empty_variable_counts_as_not_set<S: Service>() {
    let help = Process::run(S::PROGRAM.path, &["--help"]).await.stdout;
    let names: Vec<&str> = help
        .split("[env: ")
        .skip(1)
        .filter_map(|rest| rest.split(['=', ']']).next())
        .filter(|name| name.starts_with("PUSH_"))
        .collect();
    assert!(names.len() > 20, "{names:?}");
    let empty: Vec<(&str, &str)> = names.iter().map(|name| (*name, "")).collect();
    let args = ["--listen", "127.0.0.1:0", "--log-format", "json"];
    let mut process = Process::start_with(S::PROGRAM.path, &args, &empty);
    process.logged("listening", "address").await;
    // An empty flag is no empty variable.
    let mistake = Process::run(S::PROGRAM.path, &["--history", ""]).await;
    assert_eq!(mistake.code, Some(2), "{mistake:?}");
}

/// `--version` and `--help` name the version and every flag: the common ones and the service's own.
pub async fn the_version_and_every_flag_are_named<S: Service>() {
    let program = S::PROGRAM;
    let exit = Process::run(program.path, &["--version"]).await;
    assert_eq!((exit.code, exit.stdout), (Some(0), format!("{} {}\n", program.name, program.version)));

    let exit = Process::run(program.path, &["--help"]).await;
    assert_eq!(exit.code, Some(0));
    for &flag in FLAGS.iter().chain(program.own_flags) {
        assert!(exit.stdout.split_whitespace().any(|word| word == flag), "{flag} is not in {}", exit.stdout);
    }
}

/// Makes the tests of a process that are the same for every service: `lifecycle_behaviours!(Sse)`.
#[macro_export]
macro_rules! lifecycle_behaviours {
    ($service:ty) => {
        $crate::behaviours!($service:
            lifecycle::an_early_signal_is_heeded,
            lifecycle::a_second_signal_ends_the_process,
            lifecycle::healthcheck_reports_whether_the_service_is_ready,
            lifecycle::an_address_in_use_is_reported_with_its_flag,
            lifecycle::an_address_is_understood_by_the_service_and_its_healthcheck,
            lifecycle::an_empty_variable_counts_as_not_set,
            lifecycle::flags_that_make_no_sense_are_refused,
            lifecycle::the_version_and_every_flag_are_named,
        );
    };
}
