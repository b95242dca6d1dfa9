//! What every service promises as a process, whatever its method: one test of each service calls each of these.

use std::net::{SocketAddr, TcpListener};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::{Process, RawClient};

/// The flags that every service has, as far as operators rely on them.
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
    "--log",
    "--log-format",
];

/// A service's program.
#[derive(Debug, Clone, Copy)]
pub struct ServiceProgram {
    /// Where it is: what cargo gives as `CARGO_BIN_EXE_<name>`.
    pub path: &'static str,
    /// Its name.
    pub name: &'static str,
    /// Its version.
    pub version: &'static str,
}

/// Sends a signal.
///
/// # Panics
/// When there is no such process.
pub fn signal(process: &Process, signal: Signal) {
    kill(Pid::from_raw(process.id()), signal).expect("the process is there");
}

/// All panic when the promise is not kept.
impl ServiceProgram {
    /// Starts the service on a free port, without a ticker, and returns where it listens.
    pub async fn start(&self, args: &[&str]) -> (Process, SocketAddr) {
        let quiet = ["--listen", "127.0.0.1:0", "--log-format", "json", "--tick", "0"];
        let mut process = Process::start(self.path, &[&quiet, args].concat());
        let address = process.logged("listening", "address").await;
        (process, address.parse().expect("the log has an address"))
    }

    /// A service that is shutting down and has a request to wait for.
    async fn start_draining(&self) -> (Process, SocketAddr, RawClient) {
        let (mut process, address) = self.start(&["--drain", "1h", "--read-timeout", "1h"]).await;
        let mut client = RawClient::connect(address).await;
        client.send("POST /messages HTTP/1.1\r\nhost: test\r\ncontent-length: 5\r\nexpect: 100-continue\r\n\r\n").await;
        client.read_until("100 Continue\r\n\r\n").await;
        signal(&process, Signal::SIGTERM);
        process.line_with("\"draining\"").await;
        (process, address, client)
    }

    /// A signal is heeded as soon as the service says that it listens.
    pub async fn heeds_an_early_signal(&self) {
        for _ in 0..5 {
            let (process, _) = self.start(&[]).await;
            signal(&process, Signal::SIGTERM);
            assert_eq!(process.ended().await.code, Some(0), "the signal was not waited for yet");
        }
    }

    /// A second signal ends it at once.
    pub async fn ends_at_a_second_signal(&self) {
        let (process, _, _client) = self.start_draining().await;
        signal(&process, Signal::SIGTERM);
        let exit = process.ended().await;
        assert!(exit.code.is_some_and(|code| code != 0), "{exit:?}");
    }

    /// Its `healthcheck` tells whether it is ready.
    pub async fn checks_its_health(&self) {
        let (_process, address) = self.start(&[]).await;
        let ask = ["healthcheck", "--listen", &address.to_string()];
        assert_eq!(Process::run(self.path, &ask).await.code, Some(0));

        let (_process, address, _client) = self.start_draining().await;
        let ask = ["healthcheck", "--listen", &address.to_string()];
        let exit = Process::run(self.path, &ask).await;
        assert_eq!(exit.code, Some(1));
        assert!(exit.stderr.contains("shutting down"), "{exit:?}");
    }

    /// Where its address is taken, it says which flag to change.
    pub async fn says_that_its_address_is_taken(&self) {
        let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = taken.local_addr().expect("a bound listener has an address").to_string();
        let exit = Process::run(self.path, &["--listen", &address]).await;
        assert_eq!(exit.code, Some(1));
        assert!(exit.stderr.contains("--listen"), "{exit:?}");
    }

    /// Flags that make no sense are refused by name.
    pub async fn refuses_senseless_flags(&self) {
        for (args, code, said) in [
            (&["--no-such-flag"][..], 2, "--no-such-flag"),
            (&["--heartbeat", "0"], 2, "--heartbeat"),
            (&["--listen", "127.0.0.1:0", "--nats", "http://localhost"], 1, "nats://localhost:4222"),
            (&["--nats-replicas", "2"], 2, "1, 3 or 5"),
            (&["--nats-user", "u"], 2, "--nats-password"),
            (&["--listen", "nowhere"], 2, "--listen"),
            (&["--listen", "127.0.0.1:0", "--history-bytes", "1KiB"], 1, "--history-bytes"),
        ] {
            let exit = Process::run(self.path, args).await;
            assert_eq!(exit.code, Some(code), "{args:?}: {exit:?}");
            assert!(exit.stderr.contains(said), "{args:?}: {exit:?}");
        }
    }

    /// It tells its version, and every flag: the common ones and its own.
    pub async fn tells_its_version_and_flags(&self, own: &[&str]) {
        let exit = Process::run(self.path, &["--version"]).await;
        assert_eq!((exit.code, exit.stdout), (Some(0), format!("{} {}\n", self.name, self.version)));

        let exit = Process::run(self.path, &["--help"]).await;
        assert_eq!(exit.code, Some(0));
        for &flag in FLAGS.iter().chain(own) {
            assert!(exit.stdout.split_whitespace().any(|word| word == flag), "{flag} is not in {}", exit.stdout);
        }
    }
}
