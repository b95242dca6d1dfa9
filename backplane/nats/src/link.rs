//! The connection to NATS.

use std::sync::OnceLock;
use std::time::Duration;

use anyhow::Context;
use async_nats::connection::State;
use async_nats::jetstream::context::ContextBuilder;
use async_nats::{Client, ConnectOptions, Event, jetstream};
use tokio::sync::watch;
use tokio::time::sleep;

use super::ASK;
use crate::config::{NatsConfig, NatsUrl};

/// How often the server is asked for a sign of life. When two have not come and a third is due, the connection is given up;
/// a network that silently drops everything is noticed by nothing else.
const PING: Duration = Duration::from_secs(1);

/// How long connecting to one server may take.
const CONNECT: Duration = Duration::from_secs(2);

/// The longest pause between two attempts to connect.
const MAX_PAUSE: Duration = Duration::from_secs(1);

/// The connection, which is made again for as long as the process lives.
pub(super) struct Link {
    config: NatsConfig,
    servers: Vec<NatsUrl>,
    client: OnceLock<(Client, jetstream::Context)>,
    health: watch::Sender<Health>,
}

/// Whether the connection stands.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Health {
    pub(super) up: bool,
    /// How often a connection has been made.
    pub(super) generation: u64,
    /// What went wrong last.
    error: Option<String>,
    /// What the server complained of last, to log it once.
    complaint: Option<String>,
    /// It was logged that messages come faster than they are taken in.
    slow: bool,
}

impl Link {
    /// # Errors
    /// When the addresses of the servers are none.
    pub(super) fn new(config: &NatsConfig) -> anyhow::Result<Self> {
        let (config, servers) = (config.clone(), config.urls()?);
        Ok(Self { config, servers, client: OnceLock::new(), health: watch::Sender::default() })
    }

    /// Begins to connect.
    ///
    /// # Errors
    /// When the flags cannot be used, whether there is a server or not.
    pub(super) async fn connect(&self) -> anyhow::Result<()> {
        let config = &self.config;
        let health = self.health.clone();
        let mut options = ConnectOptions::new()
            .name("push")
            .retry_on_initial_connect()
            .ping_interval(PING)
            .connection_timeout(CONNECT)
            .request_timeout(Some(ASK))
            .reconnect_delay_callback(pause)
            .event_callback(move |event| {
                note(&health, &event);
                std::future::ready(())
            });
        if let Some(file) = &config.credentials {
            let context = || format!("cannot read {}; give the .creds file with --nats-credentials", file.display());
            options = options.credentials_file(file).await.with_context(context)?;
        }
        if let Some(ca) = &config.ca {
            let context = || format!("cannot read {}; give a file of certificates with --nats-ca", ca.display());
            std::fs::metadata(ca).with_context(context)?;
            options = options.add_root_certificates(ca.clone()).require_tls(true);
        }
        let in_url = self.servers.iter().find_map(|url| url.login.clone());
        let by_flag = config.user.clone().zip(config.password.clone());
        if let Some((user, password)) = by_flag.or(in_url) {
            options = options.user_and_password(user, password.0);
        }
        let servers: Vec<_> = self.servers.iter().map(|url| url.address.clone()).collect();
        let client = options.connect(servers).await.context("cannot connect to NATS; see --nats")?;
        let jetstream = ContextBuilder::new().timeout(ASK).build(client.clone());
        let _ = self.client.set((client, jetstream));
        Ok(())
    }

    /// `Err` with the reason while there is no connection.
    pub(super) fn up(&self) -> Result<(), String> {
        let health = self.health.borrow();
        if health.up {
            return Ok(());
        }
        let servers: Vec<_> = self.servers.iter().map(ToString::to_string).collect();
        let error = health.error.as_deref().map(|error| format!(": {error}")).unwrap_or_default();
        Err(format!("not connected to NATS at {}{error}", servers.join(", ")))
    }

    /// Waits until the connection stands.
    pub(super) async fn until_up(&self) -> Health {
        let mut health = self.health.subscribe();
        // The sender lives as long as this.
        health.wait_for(|health| health.up).await.map(|health| health.clone()).unwrap_or_default()
    }

    /// Sees to it that the health is that of the connection, for as long as it is polled. The library tells of a change
    /// only if its queue has room.
    pub(super) async fn watch(&self) -> std::convert::Infallible {
        let mut differed = false;
        loop {
            sleep(PING).await;
            let Some((client, _)) = self.client.get() else { continue };
            let up = client.connection_state() == State::Connected;
            let differs = up != self.health.borrow().up;
            // What differs at one look may be on its way.
            if differs && differed {
                note(&self.health, &if up { Event::Connected } else { Event::Disconnected });
            }
            differed = differs;
        }
    }

    /// Waits until the connection that stood then stands no longer.
    pub(super) async fn until_not(&self, then: &Health) {
        let mut health = self.health.subscribe();
        let _ = health.wait_for(|now| !now.up || now.generation != then.generation).await;
    }

    pub(super) fn client(&self) -> Result<Client, String> {
        self.client.get().map(|(client, _)| client.clone()).ok_or_else(|| "not connected to NATS yet".to_owned())
    }

    pub(super) fn jetstream(&self) -> Result<jetstream::Context, String> {
        self.client.get().map(|(_, jetstream)| jetstream.clone()).ok_or_else(|| "not connected to NATS yet".to_owned())
    }
}

/// Takes note of what the client library says, and logs a change of state once.
fn note(health: &watch::Sender<Health>, event: &Event) {
    health.send_modify(|health| match event {
        Event::Connected => {
            tracing::info!("connected to NATS");
            *health = Health { up: true, generation: health.generation + 1, ..Health::default() };
        }
        Event::Disconnected | Event::Closed => {
            if health.up {
                tracing::warn!("NATS is away, trying to connect again");
            }
            health.up = false;
        }
        Event::ServerError(error) => {
            let complaint = error.to_string();
            if health.complaint.as_ref() != Some(&complaint) {
                tracing::warn!(%error, "NATS complains; this is said once a connection");
                health.complaint = Some(complaint);
            }
        }
        Event::ClientError(error) => {
            if health.error.is_none() && health.generation == 0 {
                tracing::warn!(%error, "NATS cannot be reached, trying again");
            }
            health.error = Some(error.to_string());
        }
        // For every message that is dropped.
        Event::SlowConsumer(_) if !health.slow => {
            tracing::warn!("NATS sends faster than this process takes it in; this is said once a connection");
            health.slow = true;
        }
        Event::SlowConsumer(_) => {}
        Event::LameDuckMode | Event::Draining => {}
    });
}

/// The pause before an attempt to connect: short, growing, and random, so that many processes do not come at once.
fn pause(attempt: usize) -> Duration {
    if attempt <= 1 {
        return Duration::ZERO;
    }
    let longest = (Duration::from_millis(50) * (attempt.min(20) as u32)).min(MAX_PAUSE);
    longest.mul_f64(0.5 + fastrand::f64() / 2.0)
}
