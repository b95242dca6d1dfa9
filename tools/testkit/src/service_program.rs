//! A service's program, run as a process of its own.

use std::net::SocketAddr;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::process::Process;
use crate::raw::RawClient;

/// A service's program.
#[derive(Debug, Clone, Copy)]
pub struct ServiceProgram {
    /// The path of the program: cargo's `CARGO_BIN_EXE_<name>`.
    pub path: &'static str,
    /// The name of the program.
    pub name: &'static str,
    /// The version of the program.
    pub version: &'static str,
    /// The flags that this service has beside those of all services.
    pub own_flags: &'static [&'static str],
}

/// Sends a signal.
///
/// # Panics
/// When there is no such process.
pub fn signal(process: &Process, signal: Signal) {
    kill(Pid::from_raw(process.id()), signal).expect("the process is there");
}

impl ServiceProgram {
    /// Starts the service on a free port, without a ticker, and returns the address on which it listens.
    ///
    /// # Panics
    /// When the service does not do its part in time.
    pub async fn start(&self, flags: &[&str]) -> (Process, SocketAddr) {
        self.start_at("127.0.0.1:0", flags).await
    }

    /// Does what [`ServiceProgram::start`] does, on a port that is known.
    ///
    /// # Panics
    /// As [`ServiceProgram::start`].
    pub async fn start_at(&self, listen: &str, flags: &[&str]) -> (Process, SocketAddr) {
        let quiet = ["--listen", listen, "--log-format", "json", "--tick", "0"];
        let mut process = Process::start(self.path, &[&quiet, flags].concat());
        let address = process.logged("listening", "address").await;
        (process, address.parse().expect("the log has an address"))
    }

    /// Starts the service, and has it shut down and wait for a request of the client that is returned.
    pub(crate) async fn start_draining(&self) -> (Process, SocketAddr, RawClient) {
        let (mut process, address) = self.start(&["--drain", "1h", "--read-timeout", "1h"]).await;
        let mut client = RawClient::connect(address).await;
        client.send("POST /messages HTTP/1.1\r\nhost: test\r\ncontent-length: 5\r\nexpect: 100-continue\r\n\r\n").await;
        client.read_until("100 Continue\r\n\r\n").await;
        signal(&process, Signal::SIGTERM);
        process.line_with("\"draining\"").await;
        (process, address, client)
    }
}
