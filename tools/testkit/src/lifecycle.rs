//! Tests of a service as a process: flags, signals, exit codes.

use std::net::{SocketAddr, TcpListener};

use nix::sys::signal::Signal;

use crate::process::Process;
use crate::publish::publish_at;
use crate::raw::{RawClient, get};
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
    "--idempotency-keys",
    "--max-patterns",
    "--nats",
    "--nats-credentials",
    "--nats-user",
    "--nats-password",
    "--nats-ca",
    "--nats-stream",
    "--nats-replicas",
    "--nats-sync-always",
    "--publish-timeout",
    "--heartbeat",
    "--drain",
    "--reuse-port",
    "--close-timeout",
    "--max-unread-bytes",
    "--max-connections",
    "--overflow-connections",
    "--overflow-publishers",
    "--max-unsent-bytes",
    "--body-budget",
    "--max-message-bytes",
    "--max-array",
    "--write-timeout",
    "--read-timeout",
    "--idle-timeout",
    "--max-head-bytes",
    "--max-body-bytes",
    "--allow-origin",
    "--tls-cert",
    "--tls-key",
    "--http2",
    "--peer-ws",
    "--peer-poll",
    "--peer-sse",
    "--admin-listen",
    "--log",
    "--log-format",
    "--log-budget",
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

/// Signals that others send to see a process react do not end it; SIGQUIT has it shut down, and SIGINT that comes twice at
/// once counts as one.
pub async fn no_signal_ends_the_process_without_a_drain<S: Service>() {
    use Signal::{SIGALRM, SIGHUP, SIGINT, SIGQUIT, SIGUSR1, SIGUSR2};
    for stop in [&[SIGQUIT][..], &[SIGINT, SIGINT]] {
        let (mut process, address) =
            S::PROGRAM.start(&["--read-timeout", "1h", "--drain", "1h", "--log", "debug"]).await;
        for (ignored, name) in [(SIGHUP, "SIGHUP"), (SIGUSR1, "SIGUSR1"), (SIGUSR2, "SIGUSR2"), (SIGALRM, "SIGALRM")] {
            signal(&process, ignored);
            process.line_with(name).await;
        }
        let mut client = RawClient::connect(address).await;
        client.send("POST /messages HTTP/1.1\r\nhost: test\r\ncontent-length: 5\r\nexpect: 100-continue\r\n\r\n").await;
        client.read_until("100 Continue\r\n\r\n").await;
        signal(&process, stop[0]);
        process.line_with("\"draining\"").await;
        for &again in &stop[1..] {
            signal(&process, again);
            process.line_with("SIGINT again").await;
        }
        client.send("hello").await;
        assert!(client.read_to_end().await.starts_with("HTTP/1.1 503 "), "{stop:?}: it is shutting down");
        assert_eq!(process.ended().await.code, Some(0), "{stop:?}");
    }
}

/// With `--reuse-port`, a new process takes over an address while the old one goes, and no client is refused.
pub async fn an_address_is_handed_over_without_a_refused_connection<S: Service>() {
    let (mut old, address) = S::PROGRAM.start(&["--reuse-port", "--drain", "1s"]).await;
    let connecting = tokio::spawn(async move {
        let mut answered = 0;
        loop {
            let mut client = RawClient::connect(address).await;
            client.send("GET /livez HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n").await;
            let answer = client.read_to_end().await;
            assert!(answer.starts_with("HTTP/1.1 200 "), "{answer:?} after {answered}");
            answered += 1;
        }
    });
    for _ in 0..3 {
        let (new, _) = S::PROGRAM.start_at(&address.to_string(), &["--reuse-port", "--drain", "1s"]).await;
        signal(&old, Signal::SIGTERM);
        old.line_with("listening no more").await;
        assert_eq!(old.ended().await.code, Some(0));
        old = new;
    }
    assert!(!connecting.is_finished(), "{:?}", connecting.await);
    connecting.abort();
}

/// A service that is full says so in one line, however many it refuses.
pub async fn being_full_is_logged_once<S: Service>() {
    let (process, address) = S::PROGRAM.start(&["--max-connections", "1", "--drain", "0"]).await;
    let mut client = RawClient::connect(address).await;
    client.send("GET /livez HTTP/1.1\r\nhost: test\r\n\r\n").await;
    client.read_until("}").await;
    for _ in 0..50 {
        assert!(get(address, "/messages").await.starts_with("HTTP/1.1 503 "));
    }
    signal(&process, Signal::SIGTERM);
    let exit = process.ended().await;
    let lines: Vec<_> = exit.stderr.lines().filter(|line| line.contains("full: ")).collect();
    assert!(matches!(lines[..], [line] if line.contains("WARN") && line.contains("refused")), "{exit:?}");
}

/// A service that may open few files shares them out: it serves some clients, refuses the others, and says how many it
/// serves. With fewer than that it does not start, and says what to do.
pub async fn few_descriptors_are_shared_out<S: Service>() {
    const LIMITED: &str = "ulimit -n $0 && exec \"$@\"";
    let flags = ["--listen", "127.0.0.1:0", "--log-format", "json", "--tick", "0", "--drain", "0"];
    let start = |files: &str| Process::start("sh", &[&["-c", LIMITED, files, S::PROGRAM.path], &flags[..]].concat());
    let mut process = start("256");
    process.line_with("max connections lowered from 100000 to 96").await;
    let address = process.logged("listening", "address").await.parse().expect("the log has an address");
    let mut served = Vec::new();
    for _ in 0..96 {
        let mut client = RawClient::connect(address).await;
        client.send("GET /livez HTTP/1.1\r\nhost: test\r\n\r\n").await;
        client.read_until("}").await;
        served.push(client);
    }
    for _ in 0..200 {
        assert!(get(address, "/messages").await.starts_with("HTTP/1.1 503 "));
    }
    let exit = start("67").ended().await;
    assert!(exit.code == Some(1) && exit.stderr.contains("raise `ulimit -n`"), "{exit:?}");
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
            lifecycle::being_full_is_logged_once,
            lifecycle::few_descriptors_are_shared_out,
            lifecycle::no_signal_ends_the_process_without_a_drain,
            lifecycle::an_address_is_handed_over_without_a_refused_connection,
            log::rust_log_counts_where_no_flag_does,
            log::the_log_says_the_same_as_text_and_as_json,
            log::a_log_that_nobody_reads_holds_up_nobody,
        );
    };
}
