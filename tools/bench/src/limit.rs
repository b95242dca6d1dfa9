//! `bench limit`: a server to compare with. It has one thread and epoll, encodes every message once, writes it once to
//! each client, and does nothing else: it has a short history and no heartbeats, time-outs, limits or TLS. The costs of a
//! push server above this are the costs of its features.
//!
//! | route | |
//! | --- | --- |
//! | `POST /messages` | publish the body, a text, to everybody |
//! | `GET /events` | Server-Sent Events |
//! | `GET /feed` | WebSocket |
//! | `GET /poll?since=C&wait=S` | long poll, held until there is a message; `wait=0` is answered at once |
//! | `GET /` upgraded | WebSocket echo |

mod connection;
mod encoding;
mod request;
mod server;

use std::net::SocketAddr;

use anyhow::Context;
use clap::Args;

pub use server::LimitServer;

/// Run the server to compare with: one thread, epoll, one write per message and client, nothing else
///
/// `--target limit` starts it.
#[derive(Debug, Args)]
pub struct Limit {
    /// The address to listen on
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:3002")]
    listen: SocketAddr,
}

impl Limit {
    /// Runs the command until the process is ended.
    ///
    /// # Errors
    /// Fails when it cannot listen.
    pub fn run(self) -> anyhow::Result<bool> {
        rlimit::increase_nofile_limit(u64::MAX).context("cannot read the descriptor limit")?;
        LimitServer::bind(self.listen)?.run()?;
        Ok(true)
    }
}
