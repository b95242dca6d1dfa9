//! The connection to NATS.

use std::convert::Infallible;
use std::io;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::Duration;

use async_nats::connection::State;
use async_nats::jetstream::context::ContextBuilder;
use async_nats::{Client, ConnectOptions, Event, jetstream};
use tokio::sync::watch;
use tokio::time::sleep;

use crate::config::NatsConfig;
use crate::url::{BadNatsUrl, NatsUrl};

/// The time that NATS may take to answer a request.
pub(crate) const REQUEST_TIMEOUT: Duration = Duration::from_secs(2);

/// The interval between pings. The library gives the connection up when two are unanswered and a third is due; nothing else
/// notices a network that silently drops everything.
const PING: Duration = Duration::from_secs(1);

/// The time that connecting to one server may take.
const CONNECT: Duration = Duration::from_secs(2);

/// The longest pause between two attempts to connect.
const MAX_PAUSE: Duration = Duration::from_secs(1);

/// The connection. It is made again whenever it ends, for as long as the process lives.
pub(crate) struct Link {
    config: NatsConfig,
    servers: Vec<NatsUrl>,
    client: OnceLock<(Client, jetstream::Context)>,
    status: watch::Sender<LinkStatus>,
}

/// The condition of the connection.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct LinkStatus {
    up: bool,
    /// The number of connections that have been made.
    generation: u64,
    /// The error of the last attempt to connect.
    error: Option<String>,
    /// The last error that the server reported, so that it is logged once.
    server_error: Option<String>,
    /// It was logged that messages come faster than this process reads them.
    slow: bool,
}

/// The reason why the process cannot begin to connect: its flags cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConnectError {
    #[error("cannot read {}; give the .creds file with --nats-credentials", .0.display())]
    Credentials(PathBuf, #[source] io::Error),
    #[error("cannot read {}; give a file of certificates with --nats-ca", .0.display())]
    Certificates(PathBuf, #[source] io::Error),
    #[error("cannot connect to NATS; see --nats")]
    Connect(#[source] async_nats::ConnectError),
}

/// There is no connection to NATS.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
pub(crate) enum NotConnected {
    #[error("not connected to NATS yet")]
    Yet,
    #[error("not connected to NATS at {servers}{}", .error.as_ref().map(|error| format!(": {error}")).unwrap_or_default())]
    Lost { servers: String, error: Option<String> },
}

impl Link {
    pub(crate) fn new(config: &NatsConfig) -> Result<Self, BadNatsUrl> {
        let (config, servers) = (config.clone(), config.urls()?);
        Ok(Self { config, servers, client: OnceLock::new(), status: watch::Sender::default() })
    }

    /// Begins to connect. Fails when the flags cannot be used, not when no server is there.
    pub(crate) async fn connect(&self) -> Result<(), ConnectError> {
        let config = &self.config;
        let status = self.status.clone();
        let mut options = ConnectOptions::new()
            .name("push")
            .retry_on_initial_connect()
            .ping_interval(PING)
            .connection_timeout(CONNECT)
            .request_timeout(Some(REQUEST_TIMEOUT))
            .reconnect_delay_callback(pause)
            .event_callback(move |event| {
                record(&status, &event);
                std::future::ready(())
            });
        if let Some(file) = &config.credentials {
            let failed = |error| ConnectError::Credentials(file.clone(), error);
            options = options.credentials_file(file).await.map_err(failed)?;
        }
        if let Some(ca) = &config.ca {
            std::fs::metadata(ca).map_err(|error| ConnectError::Certificates(ca.clone(), error))?;
            options = options.add_root_certificates(ca.clone()).require_tls(true);
        }
        let in_url = self.servers.iter().find_map(|url| url.login.clone());
        let by_flag = config.user.clone().zip(config.password.clone());
        if let Some((user, password)) = by_flag.or(in_url) {
            options = options.user_and_password(user, password.0);
        }
        let servers: Vec<_> = self.servers.iter().map(|url| url.address.clone()).collect();
        let client = options.connect(servers).await.map_err(ConnectError::Connect)?;
        let jetstream = ContextBuilder::new().timeout(REQUEST_TIMEOUT).build(client.clone());
        let _ = self.client.set((client, jetstream));
        Ok(())
    }

    /// Returns an error while there is no connection.
    pub(crate) fn up(&self) -> Result<(), NotConnected> {
        let status = self.status.borrow();
        if status.up {
            return Ok(());
        }
        let servers: Vec<_> = self.servers.iter().map(ToString::to_string).collect();
        Err(NotConnected::Lost { servers: servers.join(", "), error: status.error.clone() })
    }

    /// Returns whether there is a connection, and the number of those that have been made.
    pub(crate) fn condition(&self) -> (bool, u64) {
        let status = self.status.borrow();
        (status.up, status.generation)
    }

    /// Waits until there is a connection, and returns the status of that one.
    pub(crate) async fn until_up(&self) -> LinkStatus {
        let mut status = self.status.subscribe();
        // The sender lives as long as this.
        status.wait_for(|status| status.up).await.map(|status| status.clone()).unwrap_or_default()
    }

    /// Waits until the connection of this status has ended.
    pub(crate) async fn until_lost(&self, connected: &LinkStatus) {
        let mut status = self.status.subscribe();
        let _ = status.wait_for(|now| !now.up || now.generation != connected.generation).await;
    }

    /// Corrects the status for as long as it is polled: the library drops events when its queue is full.
    pub(crate) async fn watch(&self) -> Infallible {
        let mut differed = false;
        loop {
            sleep(PING).await;
            let Some((client, _)) = self.client.get() else { continue };
            let up = client.connection_state() == State::Connected;
            let differs = up != self.status.borrow().up;
            // The event may be on its way when they differ for the first time.
            if differs && differed {
                record(&self.status, &if up { Event::Connected } else { Event::Disconnected });
            }
            differed = differs;
        }
    }

    pub(crate) fn client(&self) -> Result<Client, NotConnected> {
        self.client.get().map(|(client, _)| client.clone()).ok_or(NotConnected::Yet)
    }

    pub(crate) fn jetstream(&self) -> Result<jetstream::Context, NotConnected> {
        self.client.get().map(|(_, jetstream)| jetstream.clone()).ok_or(NotConnected::Yet)
    }
}

/// Records an event of the client library, and logs each change of the status once.
fn record(status: &watch::Sender<LinkStatus>, event: &Event) {
    status.send_modify(|status| match event {
        Event::Connected => {
            tracing::info!("connected to NATS");
            *status = LinkStatus { up: true, generation: status.generation + 1, ..LinkStatus::default() };
        }
        Event::Disconnected | Event::Closed => {
            if status.up {
                tracing::warn!("NATS is away, trying to connect again");
            }
            status.up = false;
        }
        Event::ServerError(error) => {
            let text = error.to_string();
            if status.server_error.as_ref() != Some(&text) {
                tracing::warn!(%error, "NATS reports an error; this is logged once per connection");
                status.server_error = Some(text);
            }
        }
        Event::ClientError(error) => {
            if status.error.is_none() && status.generation == 0 {
                tracing::warn!(%error, "NATS cannot be reached, trying again");
            }
            status.error = Some(error.to_string());
        }
        // The library reports each message that it drops.
        Event::SlowConsumer(_) if !status.slow => {
            tracing::warn!("NATS sends faster than this process reads; this is logged once per connection");
            status.slow = true;
        }
        Event::SlowConsumer(_) => {}
        Event::LameDuckMode | Event::Draining => {}
    });
}

/// The pause before an attempt to connect: short, growing, and random, so that many processes do not connect at once.
fn pause(attempt: usize) -> Duration {
    if attempt <= 1 {
        return Duration::ZERO;
    }
    let longest = (Duration::from_millis(50) * (attempt.min(20) as u32)).min(MAX_PAUSE);
    longest.mul_f64(0.5 + fastrand::f64() / 2.0)
}
