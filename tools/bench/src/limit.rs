//! `bench limit`: a server to compare with. One thread, epoll, every message encoded once and written once to each client, and
//! nothing else: no history to speak of, no heartbeats, no time-outs, no limits, no TLS. What a push server costs beyond this
//! it costs for what it does beyond this.
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

/// Run the server to compare with: one thread, epoll, one write a message and client, nothing else
///
/// `--target limit` starts it by itself.
#[derive(Debug, Args)]
pub struct Limit {
    /// Where it listens
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:3002")]
    listen: SocketAddr,
}

impl Limit {
    /// Runs the command, until the process is ended.
    ///
    /// # Errors
    /// When it cannot listen.
    pub fn run(self) -> anyhow::Result<bool> {
        rlimit::increase_nofile_limit(u64::MAX).context("cannot read the descriptor limit")?;
        LimitServer::bind(self.listen)?.run()?;
        Ok(true)
    }
}
