//! Admission: the one place that asks whether there is room, and whether the service is shutting down.

use std::sync::Arc;

use http::{HeaderMap, Method};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::cors::{self, OpenTo, Origins};
use crate::drain::Drain;
use crate::error::ApiError;
use crate::headers::is_websocket_upgrade;
use crate::reply::Reply;

/// Extra connections after `--max-connections`: they are answered 503, and health checks get through.
pub(crate) const OVERFLOW: usize = 128;

/// Decides on connections, requests and publications.
#[derive(Debug)]
pub(crate) struct Admission {
    drain: Drain,
    origins: Origins,
    /// The number of connections that are served at a time.
    limit: usize,
    places: Arc<Semaphore>,
    overflow: Arc<Semaphore>,
}

/// The place of a connection, given back when dropped.
#[derive(Debug)]
pub(crate) struct Place {
    /// `--max-connections` others are served: this one is answered 503, but for health checks and WebSocket handshakes.
    pub(crate) is_overflow: bool,
    _permit: OwnedSemaphorePermit,
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
    /// Serves up to `limit` connections at a time.
    pub(crate) fn new(drain: Drain, origins: &[String], limit: usize) -> Self {
        Self {
            drain,
            origins: Origins::new(origins),
            limit,
            places: Arc::new(Semaphore::new(limit)),
            overflow: Arc::new(Semaphore::new(OVERFLOW)),
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

    /// Gives a new connection its place; `None` if it cannot even be answered.
    pub(crate) fn enter(&self) -> Option<Place> {
        let place = |places: &Arc<Semaphore>, is_overflow| {
            let permit = Arc::clone(places).try_acquire_owned().ok()?;
            Some(Place { is_overflow, _permit: permit })
        };
        place(&self.places, false).or_else(|| place(&self.overflow, true))
    }

    /// Decides on a request before any route sees it. `answers_when_full` is true where the request's route has its own answer
    /// for when there is no room.
    pub(crate) fn admit(
        &self,
        method: &Method,
        path: &str,
        headers: &HeaderMap,
        is_overflow: bool,
        answers_when_full: bool,
    ) -> Admitted {
        let stay = match (is_overflow, self.drain.is_draining()) {
            (true, _) => Stay::Full,
            (false, true) => Stay::Draining,
            (false, false) => Stay::Welcome,
        };
        let Some(open_to) = self.origins.admit(headers) else {
            let refusal = Some(ApiError::OriginNotAllowed.reply());
            return Admitted { open_to: OpenTo::Nobody, refusal, stay };
        };
        // A health check asks about the process, which is well when it is full. A WebSocket client is answered by a
        // close frame after the handshake, since a page cannot read the status of one that failed.
        let served = stay != Stay::Full
            || matches!(path, "/livez" | "/readyz")
            || is_websocket_upgrade(headers)
            || answers_when_full;
        let refusal = cors::preflight(method, headers).or_else(|| (!served).then(|| ApiError::Full.reply()));
        Admitted { open_to, refusal, stay }
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
