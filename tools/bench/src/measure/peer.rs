//! A server that is measured.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;

use crate::load::{Crowd, Door};
use crate::process::Process;
use crate::service::{Pace, QUIET, Service, beside, with_defaults};
use crate::target::{Method, Route, Target};

/// Long enough not to disturb a measurement.
const PACE: Pace = Pace { heartbeat: Duration::from_secs(120), hold: Duration::from_secs(55) };

/// The time for which a server has to use no CPU to count as settled.
const STILL: Duration = Duration::from_millis(100);

/// The CPU time within [`STILL`] that counts as none.
const LITTLE: Duration = Duration::from_millis(2);

/// The protocol between clients and server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// Clients follow by this method.
    Follow(Method),
    /// A WebSocket that sends back what it receives.
    Echo,
}

/// A server, as named on the command line.
#[derive(Debug)]
pub struct Peer {
    /// Its description.
    pub target: Target,
    /// The folder of its programs, if it is this repository's.
    own: Option<PathBuf>,
    flags: Vec<String>,
}

impl Peer {
    /// `push`, `push=DIR`, `limit` or the path of a description. `flags` are for this repository's services.
    ///
    /// # Errors
    /// Fails when there is no such description.
    pub fn named(name: &str, flags: &[String]) -> anyhow::Result<Self> {
        let own = match name {
            "push" => Some(beside()?),
            other => other.strip_prefix("push=").map(PathBuf::from),
        };
        let flags = flags.to_vec();
        if own.is_some() {
            let mut target = Target::push()?;
            name.clone_into(&mut target.name);
            return Ok(Self { target, own, flags });
        }
        let target = match name {
            "limit" => Target::limit()?,
            path => Target::read(Path::new(path)).context("a target is push, limit or the path of a description")?,
        };
        Ok(Self { target, own, flags: Vec::new() })
    }

    /// The flags that the user gave.
    pub(crate) fn flags(&self) -> &[String] {
        &self.flags
    }

    pub(crate) fn route(&self, protocol: Protocol) -> anyhow::Result<&Route> {
        match protocol {
            Protocol::Follow(method) => self.target.route(method),
            Protocol::Echo => self.target.echo.as_ref().with_context(|| format!("{} has no [echo]", self.target.name)),
        }
    }

    /// Returns whether it is this repository's.
    pub(crate) fn is_own(&self) -> bool {
        self.own.is_some()
    }

    /// Starts it.
    pub(crate) async fn start(&self, protocol: Protocol) -> anyhow::Result<Service> {
        self.start_with(protocol, &[]).await
    }

    /// Starts it. If it is this repository's, it gets these flags too, unless the user sets them.
    pub(crate) async fn start_with(&self, protocol: Protocol, defaults: &[(&str, &str)]) -> anyhow::Result<Service> {
        let route = self.route(protocol)?;
        let Some(folder) = &self.own else {
            return Service::foreign(&self.target, &route.start, PACE).await;
        };
        let method = match protocol {
            Protocol::Follow(method) => method,
            Protocol::Echo => Method::Ws,
        };
        let flags = with_defaults(&[&route.flags[..], &self.flags].concat(), defaults);
        Service::own(folder, method, &with_defaults(&flags, QUIET)).await
    }
}

/// A server that is running.
#[derive(Debug)]
pub struct Subject<'a> {
    /// Its description.
    pub target: &'a Target,
    /// Its address.
    pub address: SocketAddr,
    /// The way by which honest clients come in.
    pub door: Door,
    /// The process whose CPU and memory count.
    pub process: Process,
    /// The longest time to wait for it to settle: it may never do so.
    pub restless: Duration,
}

impl Subject<'_> {
    /// Handles events until the server is idle.
    pub(crate) fn settle(&self, crowd: &mut Crowd) -> anyhow::Result<()> {
        let mut waited = Duration::ZERO;
        let mut before = self.process.cpu()?;
        while waited < self.restless {
            let pause = STILL.min(self.restless);
            crowd.wait(pause)?;
            waited += pause;
            let now = self.process.cpu()?;
            if now.saturating_sub(before) < LITTLE {
                break;
            }
            before = now;
        }
        Ok(())
    }
}
