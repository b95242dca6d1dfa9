//! The servers that are measured, by their names on the command line.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use tokio::task::block_in_place;

use super::jetstream;
use super::over_http::measure;
use super::work::Work;
use crate::folder::Folder;
use crate::measure::Sample;
use crate::nats::{Nats, Sync};
use crate::process::Process;
use crate::service::{Pace, QUIET, Service, beside, value, with_defaults};
use crate::target::{Method, Target};

/// A history that holds everything that is published in a measurement.
const LARGE: &[(&str, &str)] = &[("--history", "10000000"), ("--history-bytes", "2GiB")];

/// Long enough not to disturb a measurement.
const PACE: Pace = Pace { heartbeat: Duration::from_secs(120), hold: Duration::from_secs(55) };

/// A server that is measured.
#[derive(Debug)]
pub(super) enum Candidate {
    /// A service of this repository with its history in memory.
    Memory,
    /// One with its history in a file.
    File,
    /// One with its history in NATS.
    Nats(Sync),
    /// NATS itself.
    JetStream(Sync),
    /// Another server.
    Described(Box<Target>),
}

/// The parts of a candidate that are running.
struct Running {
    service: Service,
    nats: Option<Nats>,
    _folder: Option<Folder>,
}

impl Candidate {
    /// `memory`, `file`, `nats`, `nats-always`, `jetstream`, `jetstream-always` or the path of a description.
    pub(super) fn named(name: &str) -> anyhow::Result<Self> {
        Ok(match name {
            "memory" => Self::Memory,
            "file" => Self::File,
            "nats" => Self::Nats(Sync::Later),
            "nats-always" => Self::Nats(Sync::Always),
            "jetstream" => Self::JetStream(Sync::Later),
            "jetstream-always" => Self::JetStream(Sync::Always),
            path => Self::Described(Box::new(Target::read(Path::new(path)).context(
                "a target is memory, file, nats, nats-always, jetstream, jetstream-always or the path of a description",
            )?)),
        })
    }

    /// The name in the results.
    pub(super) fn name(&self) -> &str {
        match self {
            Self::Memory => "memory",
            Self::File => "file",
            Self::Nats(Sync::Later) => "nats",
            Self::Nats(Sync::Always) => "nats-always",
            Self::JetStream(Sync::Later) => "jetstream",
            Self::JetStream(Sync::Always) => "jetstream-always",
            Self::Described(target) => &target.name,
        }
    }

    /// Returns whether it stores anything outside of its memory.
    pub(super) fn needs_a_disk(&self) -> bool {
        !matches!(self, Self::Memory)
    }

    /// Measures it once, from its start with an empty history to its end. Returns its version too.
    pub(super) async fn round(
        &self,
        work: &Work,
        method: Method,
        flags: &[String],
    ) -> anyhow::Result<(String, Sample)> {
        if let Self::JetStream(sync) = self {
            let nats = Nats::start_with(*sync).await?;
            return block_in_place(|| jetstream::measure(work, nats.port(), &[nats.process()?]));
        }
        let push = Target::push()?;
        let (target, keeps) = match self {
            Self::Described(target) => (&**target, true),
            _ => (&push, LARGE.iter().chain(&[("--history-age", "")]).all(|(name, _)| value(flags, name).is_none())),
        };
        let running = self.start(method, flags).await?;
        let mut servers = vec![running.service.process()?];
        servers.extend(running.nats.iter().map(Nats::process).collect::<anyhow::Result<Vec<Process>>>()?);
        let address: SocketAddr = running.service.address();
        let sample = measure(work, target, address, &servers, keeps).await?;
        let version = match &running.nats {
            Some(nats) => format!("{}, {}", target.version(), block_in_place(|| jetstream::version(nats.port()))?),
            None => target.version(),
        };
        running.service.stop().await?;
        Ok((version, sample))
    }

    async fn start(&self, method: Method, flags: &[String]) -> anyhow::Result<Running> {
        let flags = with_defaults(flags, &[QUIET, LARGE].concat());
        let own = async |more: Vec<String>| {
            let service = Service::own(&beside()?, method, &[flags, more].concat()).await?;
            service.ready().await?;
            anyhow::Ok(service)
        };
        let (mut nats, mut folder) = (None, None);
        let service = match self {
            Self::Memory => own(Vec::new()).await?,
            Self::File => {
                let data = folder.insert(Folder::new("data")?);
                own(vec![format!("--data={}", data.path().display())]).await?
            }
            Self::Nats(sync) | Self::JetStream(sync) => {
                let nats = nats.insert(Nats::start_with(*sync).await?);
                let mut more = vec![format!("--nats={}", nats.url())];
                more.extend((*sync == Sync::Always).then(|| "--nats-sync-always".to_owned()));
                own(more).await?
            }
            Self::Described(target) => Service::foreign(target, &[], PACE).await?,
        };
        Ok(Running { service, nats, _folder: folder })
    }
}
