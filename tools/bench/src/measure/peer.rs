//! A server that is measured.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;

use crate::load::Crowd;
use crate::process::Process;
use crate::service::{Pace, QUIET, Service, beside, with_defaults};
use crate::target::{Method, Route, Target};

/// Long enough to be out of the way of a measurement.
const PACE: Pace = Pace { heartbeat: Duration::from_secs(120), hold: Duration::from_secs(55) };

/// How long a server's processor has to stand still for it to have settled.
const STILL: Duration = Duration::from_millis(100);

/// Standing still: less than this of [`STILL`].
const LITTLE: Duration = Duration::from_millis(2);

/// What one speaks to a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Speech {
    /// One follows by this method.
    Follow(Method),
    /// WebSocket that is sent back.
    Echo,
}

/// A server, as named on the command line.
#[derive(Debug)]
pub struct Peer {
    /// How it is spoken to.
    pub target: Target,
    /// If it is this repository's: the folder of its programs.
    own: Option<PathBuf>,
    flags: Vec<String>,
}

impl Peer {
    /// `push`, `push=DIR`, `limit` or the path of a description. `flags` are for this repository's services.
    ///
    /// # Errors
    /// When there is no such description.
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

    /// The flags that the user gave it.
    pub(crate) fn flags(&self) -> &[String] {
        &self.flags
    }

    pub(crate) fn route(&self, speech: Speech) -> anyhow::Result<&Route> {
        match speech {
            Speech::Follow(method) => self.target.route(method),
            Speech::Echo => self.target.echo.as_ref().with_context(|| format!("{} has no [echo]", self.target.name)),
        }
    }

    /// Starts it.
    pub(crate) async fn start(&self, speech: Speech) -> anyhow::Result<Service> {
        let route = self.route(speech)?;
        let Some(folder) = &self.own else {
            return Service::foreign(&self.target, &route.start, PACE).await;
        };
        let method = match speech {
            Speech::Follow(method) => method,
            Speech::Echo => Method::Ws,
        };
        Service::own(folder, method, &with_defaults(&[&route.flags[..], &self.flags].concat(), QUIET)).await
    }
}

/// A server that runs.
#[derive(Debug)]
pub struct Subject<'a> {
    /// How it is spoken to.
    pub target: &'a Target,
    /// Where it is.
    pub address: SocketAddr,
    /// Whose CPU and memory count.
    pub process: Process,
    /// How long to wait for it to settle, at most: it may have something to do all the time.
    pub restless: Duration,
}

impl Subject<'_> {
    /// Takes what comes until the server has nothing more to do.
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
