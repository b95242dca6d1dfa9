//! Admission: the one place that asks whether there is room, and whether the service is shutting down.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, Method};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::sleep;
use tracing::warn;

use crate::address_limit::{AddressLimit, Entrance};
use crate::body_budget::{BodyBudget, BodyReservation};
use crate::client_address::{ClientAddress, TrustedProxies};
use crate::config::{CommonConfig, ConnectionConfig};
use crate::cors::{self, OpenTo, Origins};
use crate::drain::Drain;
use crate::error::ApiError;
use crate::headers::is_websocket_upgrade;
use crate::metrics::Rejections;
use crate::overflow::{Overflow, OverflowPlace};
use crate::reply::Reply;

/// The time between two lines of the log which report that the service is full.
const REPORT_PERIOD: Duration = Duration::from_secs(60);

/// Descriptors that are not for connections: standard streams, the listener, the runtime's own.
const OTHER_DESCRIPTORS: usize = 64;

/// The numbers of connections that are held at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Places {
    /// Those that are served.
    pub(crate) regular: usize,
    /// Those beyond them that wait for a refusal.
    overflow: usize,
    /// Those beyond them that publish.
    publishers: usize,
}

impl Places {
    /// Takes the numbers of the flags, or as many as `descriptors`, the system's limit, allows. With few descriptors, those
    /// beyond `--max-connections` take at most half. `None` when there are too few to serve anybody.
    pub(crate) fn that_fit(config: &ConnectionConfig, descriptors: u64) -> Option<Self> {
        let available = usize::try_from(descriptors).unwrap_or(usize::MAX).saturating_sub(OTHER_DESCRIPTORS);
        let quarter = available / 4;
        if quarter == 0 {
            return None;
        }
        let (overflow, publishers) =
            (config.overflow_connections.min(quarter), config.overflow_publishers.min(quarter));
        let regular = config.max_connections.min(available - overflow - publishers).min(Semaphore::MAX_PERMITS);
        Some(Self { regular, overflow, publishers })
    }
}

/// Decides on connections, requests and publications.
#[derive(Debug)]
pub(crate) struct Admission {
    drain: Drain,
    origins: Origins,
    /// The number of connections that are served at a time.
    limit: usize,
    places: Arc<Semaphore>,
    overflow: Arc<Overflow>,
    addresses: Arc<AddressLimit>,
    bodies: Arc<BodyBudget>,
    rejected: Rejections,
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
    /// Holds that many connections at a time.
    pub(crate) fn new(drain: Drain, places: Places, rejected: Rejections, config: &CommonConfig) -> Self {
        let (input, connections) = (&config.input, &config.connections);
        let proxies = TrustedProxies::new(&connections.trusted_proxies);
        let addresses = AddressLimit::new(connections.max_connections_per_address, proxies);
        let overflow = Overflow::new(places.overflow, places.publishers, rejected.clone());
        let bodies = usize::try_from(input.body_budget.as_u64()).unwrap_or(usize::MAX);
        Self {
            drain,
            origins: Origins::new(&input.allow_origin, config.tls.is_asked_for()),
            limit: places.regular,
            places: Arc::new(Semaphore::new(places.regular)),
            overflow: Arc::new(overflow),
            addresses: Arc::new(addresses),
            bodies: Arc::new(BodyBudget::new(bodies)),
            rejected,
        }
    }

    pub(crate) fn limit(&self) -> usize {
        self.limit
    }

    /// The number of connections that are served.
    pub(crate) fn taken(&self) -> usize {
        self.limit - self.places.available_permits()
    }

    pub(crate) fn drain(&self) -> &Drain {
        &self.drain
    }

    pub(crate) fn origins(&self) -> &Origins {
        &self.origins
    }

    /// Decides whether the address of a new connection has room for it.
    pub(crate) fn enter_address(&self, peer: IpAddr) -> Entrance {
        let entrance = self.addresses.enter(peer);
        if matches!(entrance, Entrance::Closed) {
            self.overflow.refused_by_address().add();
            self.rejected.count_closed();
        }
        entrance
    }

    /// The address of the client that sent a request over a connection from `peer`.
    pub(crate) fn client(&self, peer: IpAddr, headers: &HeaderMap) -> ClientAddress {
        self.addresses.client(peer, headers)
    }

    /// Gives a new connection its place.
    pub(crate) fn enter(&self) -> Place {
        match Arc::clone(&self.places).try_acquire_owned() {
            Ok(permit) => Place::Regular { _permit: permit },
            Err(_) => Place::Overflow(self.overflow.enter(false)),
        }
    }

    /// Gives a new connection a place for the answer that its address has enough.
    pub(crate) fn enter_beyond_address(&self) -> Place {
        Place::Overflow(self.overflow.enter(true))
    }

    /// Reports in the log that the service is full, at most once per minute. Runs for as long as it is polled.
    pub(crate) async fn report_full(&self) {
        loop {
            let refused = self.overflow.refused().take().await;
            warn!(refused, max_connections = self.limit, "full: connections were refused; raise --max-connections");
            sleep(REPORT_PERIOD).await;
        }
    }

    /// As [`Admission::report_full`], of addresses that have enough connections.
    pub(crate) async fn report_full_addresses(&self) {
        loop {
            let refused = self.overflow.refused_by_address().take().await;
            warn!(refused, "connections were refused, of addresses that have --max-connections-per-address already");
            sleep(REPORT_PERIOD).await;
        }
    }

    /// Decides on a request before any route sees it. `has_room` is false where the client's address has enough connections, and `answers_when_full` is true where the request's route has its own answer
    /// for when there is no room.
    pub(crate) fn admit(
        &self,
        method: &Method,
        path: &str,
        headers: &HeaderMap,
        overflow: Option<&OverflowPlace>,
        has_room: bool,
        answers_when_full: bool,
    ) -> Admitted {
        let stay = match (overflow.is_some() || !has_room, self.drain.is_draining()) {
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
        let served = overflow.map_or(has_room || is_probe(path), |place| is_served(place, method, path))
            || (*method == Method::GET && is_websocket_upgrade(headers))
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
    if is_probe(path) {
        place.serve_probe();
        return true;
    }
    path == "/messages" && method == Method::POST && place.serve_publisher()
}

fn is_probe(path: &str) -> bool {
    matches!(path, "/livez" | "/readyz")
}

#[cfg(test)]
mod tests {
    use clap::{Args as _, Command, FromArgMatches as _};

    use super::*;

    fn config(flags: &[&str]) -> ConnectionConfig {
        let command = ConnectionConfig::augment_args(Command::new("service"));
        let matches = command.try_get_matches_from(["service"].iter().chain(flags)).unwrap();
        ConnectionConfig::from_arg_matches(&matches).unwrap()
    }

    fn places(flags: &[&str], descriptors: u64) -> Option<(usize, usize, usize)> {
        let places = Places::that_fit(&config(flags), descriptors)?;
        Some((places.regular, places.overflow, places.publishers))
    }

    #[test]
    fn the_flags_hold_where_the_system_allows_as_many_descriptors() {
        assert_eq!(places(&[], 1 << 20), Some((100_000, 256, 64)));
        assert_eq!(places(&["--max-connections", "500", "--overflow-publishers", "3"], 2_000), Some((500, 256, 3)));
    }

    #[test]
    fn with_few_descriptors_at_least_half_are_for_those_who_are_served() {
        assert_eq!(places(&[], 1_024), Some((1_024 - 64 - 240 - 64, 240, 64)));
        assert_eq!(places(&[], 256), Some((96, 48, 48)), "the default of macOS");
        assert_eq!(places(&[], 68), Some((2, 1, 1)));
    }

    #[test]
    fn without_descriptors_for_anybody_there_are_no_places() {
        assert_eq!(places(&[], 67), None);
    }
}
