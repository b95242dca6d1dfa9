//! The application: the state that the handlers of a service share.

mod following;
mod publishing;

use std::sync::Arc;

use bytesize::ByteSize;
use http::HeaderMap;
use tokio::time::Instant;
use tracing::info;

use crate::access::{Access, Denied, Gate, GateError, denial};
use crate::admission::{Admission, Places};
pub use crate::body_budget::{BodyReservation, BudgetSpent};
use crate::body_turns::BodyTurns;
use crate::client_address::ClientAddress;
use crate::config::CommonConfig;
use crate::connection::{Peer, Timers};
use crate::drain::Drain;
use crate::error::ApiError;
use crate::gap_log::GapLog;
use crate::inquiry::{Answers, ClientId, Inquiries};
use crate::key_shares::KeyShares;
use crate::metrics::{Delivery, Method, Metrics};
use crate::publish_rate::PublishRates;
use crate::publisher::PublisherIds;
use crate::readiness::Readiness;
use crate::refusal::Refusal;
use crate::tls::{Tls, TlsError};
#[cfg(feature = "otlp")]
use crate::traces::TracesError;
use crate::traces::{Recorder, SpanClient};
use shared::backplane::{Backplane, NotReady};
use shared::hub::{Hub, Tally};
use shared::topic::{Topic, TopicFilter};

/// A running service's state: its history, its backplane, its configuration, and who is served.
#[derive(Debug)]
pub struct App {
    /// The flags that all services have.
    pub config: CommonConfig,
    pub(crate) admission: Admission,
    pub(crate) timers: Timers,
    hub: Hub,
    backplane: Arc<dyn Backplane>,
    /// Absent where the service speaks in the clear.
    tls: Option<Tls>,
    /// Absent where the service is open.
    gate: Option<Gate>,
    metrics: Metrics,
    /// Absent where there is no collector of traces.
    traces: Option<Recorder>,
    gaps: GapLog,
    inquiries: Inquiries,
    started: Instant,
    publisher_ids: PublisherIds,
    key_shares: KeyShares,
    /// Absent without `--publish-rate`.
    publish_rates: Option<PublishRates>,
    body_turns: BodyTurns,
}

/// The reason why a service cannot be started with these flags.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The history has no room for the largest message.
    #[error(
        "--history-bytes ({history}) has to be at least four times --max-message-bytes ({message}); \
         raise the one or lower the other"
    )]
    HistoryTooSmall {
        /// `--history-bytes`.
        history: ByteSize,
        /// `--max-message-bytes`.
        message: ByteSize,
    },
    /// One body may be larger than all together.
    #[error("--body-budget ({budget}) has to be at least --max-body-bytes ({body}); raise the one or lower the other")]
    BodyBudgetTooSmall {
        /// `--body-budget`.
        budget: ByteSize,
        /// `--max-body-bytes`.
        body: ByteSize,
    },
    /// See [`TlsError`].
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// See [`GateError`].
    #[error(transparent)]
    Gate(#[from] GateError),
    /// See [`TracesError`].
    #[cfg(feature = "otlp")]
    #[error(transparent)]
    Traces(#[from] TracesError),
    /// The system does not say how many files the process may open.
    #[error("cannot read the descriptor limit")]
    DescriptorLimit(#[source] std::io::Error),
    /// The system lets the process open too few files.
    #[error("the system allows {0} open files, too few to serve anybody; raise `ulimit -n`")]
    TooFewDescriptors(u64),
}

impl App {
    /// Serves the history of a hub, which the backplane feeds, by one method.
    ///
    /// # Errors
    /// When the flags contradict each other, or the system allows too few descriptors.
    pub fn new(
        config: CommonConfig,
        method: Method,
        backplane: Arc<dyn Backplane>,
        hub: Hub,
    ) -> Result<Arc<Self>, ConfigError> {
        let (message, history) = (config.input.max_message_bytes, config.history.history_bytes);
        // A message is held as it was published and in at least one format, which may be larger; the factor leaves room
        // for both.
        if history.as_u64() / 4 < message.as_u64() {
            return Err(ConfigError::HistoryTooSmall { history, message });
        }
        let (body, budget) = (config.input.max_body_bytes, config.input.body_budget);
        if budget < body {
            return Err(ConfigError::BodyBudgetTooSmall { budget, body });
        }
        #[cfg_attr(not(feature = "otlp"), expect(unused_mut, reason = "traces add their counters"))]
        let mut metrics = Metrics::new(method, &config, &backplane);
        #[cfg(feature = "otlp")]
        let traces = Recorder::new(&config.traces, method, || metrics.add_spans())?;
        #[cfg(feature = "otlp")]
        if traces.is_some() {
            hub.list_traced();
        }
        #[cfg(not(feature = "otlp"))]
        let traces = None;
        let tls = Tls::new(&config.tls, metrics.handshakes())?;
        let gate = Gate::new(&config.access, &metrics)?;
        let drain = Drain::new(config.connections.drain);
        let descriptors = rlimit::increase_nofile_limit(u64::MAX).map_err(ConfigError::DescriptorLimit)?;
        let places =
            Places::that_fit(&config.connections, descriptors).ok_or(ConfigError::TooFewDescriptors(descriptors))?;
        if places.regular < config.connections.max_connections {
            let (asked, room) = (config.connections.max_connections, places.regular);
            info!("max connections lowered from {asked} to {room} (ulimit -n is {descriptors})");
        }
        let admission = Admission::new(drain, places, metrics.rejected().clone(), &config);
        let publish_rates = config.input.publish_rate.map(PublishRates::new);
        let key_shares = KeyShares::new(config.history.idempotency_keys);
        let (timers, body_turns) = (Timers::new(), BodyTurns::new(config.input.large_body_share));
        Ok(Arc::new(Self {
            config,
            admission,
            timers,
            hub,
            backplane,
            tls,
            gate,
            metrics,
            traces,
            gaps: GapLog::default(),
            inquiries: Inquiries::default(),
            started: Instant::now(),
            publisher_ids: PublisherIds::default(),
            key_shares,
            publish_rates,
            body_turns,
        }))
    }

    /// Begins to shut down: every connection is woken, and released over `--drain`.
    pub fn begin_drain(&self) {
        self.admission.drain().begin();
        self.timers.ring_all();
    }

    /// The shutting down of the service.
    pub fn drain(&self) -> &Drain {
        self.admission.drain()
    }

    /// The backplane, to run it, and for the ticker to publish.
    pub fn backplane(&self) -> Arc<dyn Backplane> {
        Arc::clone(&self.backplane)
    }

    /// Makes a reservation of memory for what a client is sending, which grows with it: `--body-budget`.
    pub fn reserve_body(&self) -> BodyReservation {
        self.admission.reserve_body()
    }

    /// The turns of large bodies.
    pub(crate) fn body_turns(&self) -> &BodyTurns {
        &self.body_turns
    }

    /// The TLS that all connections speak; `None` where the service speaks in the clear.
    pub(crate) fn tls(&self) -> Option<&Tls> {
        self.tls.as_ref()
    }

    /// The counts and measures of the service.
    pub(crate) fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Counts what is sent to a client that does not stay.
    pub fn count(&self, delivery: &Delivery, client: Option<ClientAddress>, access: &Access) {
        self.metrics.count(delivery);
        if let Some(gap) = &delivery.gap {
            let address = client.map(|client| client.to_string()).unwrap_or_default();
            self.gaps.add(gap, address, access.subject().map(AsRef::as_ref));
        }
        self.trace_delivery(&delivery.tally, || span_client(client, access));
    }

    /// Records the delivery of messages that are part of traces.
    #[inline]
    pub(crate) fn trace_delivery<'a>(&self, tally: &Tally, client: impl FnOnce() -> SpanClient<'a>) {
        if !tally.traced.is_empty()
            && let Some(traces) = &self.traces
        {
            traces.record_delivery(tally, client);
        }
    }

    /// The recorder of traces; `None` where there is no collector.
    pub(crate) fn traces(&self) -> Option<&Recorder> {
        self.traces.as_ref()
    }

    /// The gaps that were reported to clients.
    pub(crate) fn gaps(&self) -> &GapLog {
        &self.gaps
    }

    /// The questions to all clients.
    pub(crate) fn inquiries(&self) -> &Inquiries {
        &self.inquiries
    }

    /// Asks all clients that stay how far they are behind, and has one of them end.
    pub(crate) async fn ask_clients(&self, end: Option<ClientId>) -> Answers {
        let expected = usize::try_from(self.metrics.staying()).unwrap_or(usize::MAX);
        self.inquiries.ask(expected, end, || self.timers.ring_all()).await
    }

    /// The time since the service was started, in microseconds.
    pub(crate) fn uptime_micros(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    /// Counts an error that is reported to a client in another way than by the answer to its request.
    pub fn count_error(&self, error: &ApiError) {
        self.metrics.rejected().count(error.code());
    }

    /// The history that is followed.
    pub(crate) fn hub(&self) -> &Hub {
        &self.hub
    }

    /// The gate of a closed service; `None` where the service is open.
    pub(crate) fn gate(&self) -> Option<&Gate> {
        self.gate.as_ref()
    }

    /// Finds out what a client may do that brings another token on its connection. The token has to be of the same subject, and to
    /// allow all that the client follows.
    ///
    /// # Errors
    /// See [`Refusal`].
    pub async fn renew(&self, token: &str, followed: &[TopicFilter], access: &Access) -> Result<Access, Refusal> {
        let Some(gate) = &self.gate else { return Ok(Access::EVERYTHING) };
        let client = access.client();
        let renewed = gate.renew(token, client).await.inspect_err(|shut| denial::log(shut, client))?;
        if access.has_token() && (renewed.issuer(), renewed.subject()) != (access.issuer(), access.subject()) {
            return Err(denied(Denied::OtherSubject, client));
        }
        renewed.check_subscribe(followed).map_err(|reason| denied(reason, client))?;
        self.metrics.count_renewed();
        Ok(renewed)
    }

    /// The address of the client that sends a request; `None` for a client in memory.
    pub(crate) fn client_address(&self, peer: Peer, headers: &HeaderMap) -> Option<ClientAddress> {
        match peer {
            Peer::Address(address) => Some(self.admission.client(address.ip(), headers)),
            Peer::InMemory => None,
        }
    }

    /// Fails if there would be too many topics with these. Requests at the same time can exceed the limit by what the threads of the
    /// runtime decide at once.
    fn check_topics<'a>(&self, topics: impl IntoIterator<Item = &'a Topic>) -> Result<(), Refusal> {
        let limit = self.config.history.max_topics;
        if self.hub.has_room_for(topics, limit) { Ok(()) } else { Err(Refusal::TooManyTopics { limit }) }
    }

    /// Fails if a client of a closed service has no token: for what is neither publishing nor following.
    ///
    /// # Errors
    /// [`Refusal::Denied`].
    pub fn check_token(&self, access: &Access) -> Result<(), Refusal> {
        access.check_token().map_err(|reason| denied(reason, access.client()))
    }

    /// The readiness of the service: it can serve clients as long as it has a history, be it in memory alone.
    ///
    /// # Errors
    /// With the reason when the service should be sent no clients.
    pub(crate) fn readiness(&self) -> Result<Readiness, NotReady> {
        if !self.admission.is_open() {
            return Err("shutting down".into());
        }
        self.backplane.known()?;
        if self.gate.as_ref().is_some_and(|gate| !gate.has_keys()) {
            return Err("the keys of tokens have not been read yet".into());
        }
        Ok(match self.backplane.ready() {
            Ok(()) => Readiness::Ready,
            Err(NotReady(message)) => Readiness::Degraded { publishing: self.backplane.publishable().is_ok(), message },
        })
    }

    /// `--max-message-bytes`.
    pub fn max_message_bytes(&self) -> usize {
        self.config.input.max_message_bytes.as_u64() as usize
    }
}

/// A client that publishes or reads, as spans name it.
fn span_client(client: Option<ClientAddress>, access: &Access) -> SpanClient<'_> {
    SpanClient { address: client, subject: access.subject() }
}

/// Refuses what a client may not do, and says so in the log.
fn denied(reason: Denied, client: Option<ClientAddress>) -> Refusal {
    denial::log(&reason, client);
    reason.into()
}
