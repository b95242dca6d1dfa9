//! Admission: the one place that asks whether there is room, and whether the service is shutting down.

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, Method};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::sleep;
use tracing::warn;

use crate::body_budget::{BodyBudget, BodyReservation};
use crate::config::CommonConfig;
use crate::cors::{self, OpenTo, Origins};
use crate::drain::Drain;
use crate::error::ApiError;
use crate::headers::is_websocket_upgrade;
use crate::overflow::{Overflow, OverflowPlace};
use crate::reply::Reply;

/// The time between two lines of the log which report that the service is full.
const REPORT_PERIOD: Duration = Duration::from_secs(60);

/// Decides on connections, requests and publications.
#[derive(Debug)]
pub(crate) struct Admission {
    drain: Drain,
    origins: Origins,
    /// The number of connections that are served at a time.
    limit: usize,
    places: Arc<Semaphore>,
    overflow: Arc<Overflow>,
    bodies: Arc<BodyBudget>,
}

/// The place of a connection, given back when dropped.
#[derive(Debug)]
pub(crate) enum Place {
    /// One of `--max-connections`.
    Regular { _permit: OwnedSemaphorePermit },
    /// All of those are taken. Only probes and publications are served, and everybody else is answered 503.
    Overflow(Arc<OverflowPlace>),
}

/// The decision on a request.
#[derive(Debug)]
pub(crate) struct Admitted {
    pub(crate) open_to: OpenTo,
    /// The answer, unless the routes have to find one.
    pub(crate) refusal: Option<Reply>,
    pub(crate) stay: Stay,
}

/// The decision on a request that is to be held, streamed or upgraded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stay {
    /// It may stay.
    Welcome,
    /// All places are taken. Only health checks, WebSocket handshakes and requests whose route has its own answer for this
    /// reach a route then; a WebSocket is closed after its handshake.
    Full,
    /// The service is shutting down.
    Draining,
}

impl Admission {
    /// Serves up to `limit` connections at a time, beside those that are only answered.
    pub(crate) fn new(drain: Drain, limit: usize, config: &CommonConfig) -> Self {
        let CommonConfig { connections, input, .. } = config;
        let overflow = Overflow::new(connections.overflow_connections, connections.overflow_publishers);
        let bodies = usize::try_from(input.body_budget.as_u64()).unwrap_or(usize::MAX);
        Self {
            drain,
            origins: Origins::new(&input.allow_origin),
            limit,
            places: Arc::new(Semaphore::new(limit)),
            overflow: Arc::new(overflow),
            bodies: Arc::new(BodyBudget::new(bodies)),
        }
    }

    pub(crate) fn limit(&self) -> usize {
        self.limit
    }

    pub(crate) fn drain(&self) -> &Drain {
        &self.drain
    }

    pub(crate) fn origins(&self) -> &Origins {
        &self.origins
    }

    /// Gives a new connection its place.
    pub(crate) fn enter(&self) -> Place {
        match Arc::clone(&self.places).try_acquire_owned() {
            Ok(permit) => Place::Regular { _permit: permit },
            Err(_) => Place::Overflow(self.overflow.enter()),
        }
    }

    /// Reports in the log that the service is full, at most once per minute. Runs for as long as it is polled.
    pub(crate) async fn report_full(&self) {
        loop {
            let refused = self.overflow.refused().await;
            warn!(refused, max_connections = self.limit, "full: connections were refused; raise --max-connections");
            sleep(REPORT_PERIOD).await;
        }
    }

    /// Decides on a request before any route sees it. `answers_when_full` is true where the request's route has its own answer
    /// for when there is no room.
    pub(crate) fn admit(
        &self,
        method: &Method,
        path: &str,
        headers: &HeaderMap,
        overflow: Option<&OverflowPlace>,
        answers_when_full: bool,
    ) -> Admitted {
        let stay = match (overflow.is_some(), self.drain.is_draining()) {
            (_, true) => Stay::Draining,
            (true, false) => Stay::Full,
            (false, false) => Stay::Welcome,
        };
        let Some(open_to) = self.origins.admit(headers) else {
            let refusal = Some(ApiError::OriginNotAllowed.reply());
            return Admitted { open_to: OpenTo::Nobody, refusal, stay };
        };
        // A WebSocket client is answered by a close frame after the handshake, since a page cannot read the status of one
        // that failed.
        let served = overflow.is_none_or(|place| is_served(place, method, path))
            || is_websocket_upgrade(headers)
            || answers_when_full;
        let refusal = cors::preflight(method, headers).or_else(|| (!served).then(|| ApiError::Full.reply()));
        Admitted { open_to, refusal, stay }
    }

    /// Makes a reservation of memory for a body, which grows with it.
    pub(crate) fn reserve_body(&self) -> BodyReservation {
        self.bodies.reserve()
    }

    /// Returns whether publications are taken and new clients welcome.
    pub(crate) fn is_open(&self) -> bool {
        !self.drain.is_draining()
    }

    /// Returns whether a connection serves further requests.
    pub(crate) fn keeps_alive(&self, is_overflow: bool) -> bool {
        !is_overflow && !self.drain.is_draining()
    }
}

impl Place {
    /// The place beyond `--max-connections`, if it is one.
    pub(crate) fn overflow(&self) -> Option<&Arc<OverflowPlace>> {
        match self {
            Self::Regular { .. } => None,
            Self::Overflow(place) => Some(place),
        }
    }
}

/// Returns whether a request is answered by its route though all places are taken: a probe asks about the process, which is
/// well when it is full, and those who follow are not to keep out those who publish.
fn is_served(place: &OverflowPlace, method: &Method, path: &str) -> bool {
    match path {
        "/livez" | "/readyz" => {
            place.serve_probe();
            true
        }
        "/messages" if method == Method::POST => place.serve_publisher(),
        _ => false,
    }
}
