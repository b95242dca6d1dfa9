//! `/debug`: who reads slowly, who has lost messages, and what the history holds.

use serde::Serialize;
use shared::hub::TopicUse;

use crate::app::App;
use crate::gap_log::ReportedGap;
use crate::inquiry::{AGES, Answers, SlowClient};

/// The number of topics that are listed.
const TOPICS: usize = 20;

/// The answer of `/debug.json`.
#[derive(Debug, Serialize)]
pub(super) struct Overview {
    version: &'static str,
    transport: &'static str,
    uptime_seconds: u64,
    draining: bool,
    clients: Clients,
    /// The newest first.
    gaps: Vec<ReportedGap>,
    history: History,
    backplane: Backplane,
}

#[derive(Debug, Serialize)]
struct Clients {
    connected: u64,
    /// The clients that have reported how far they are behind. Those of HTTP/2 do not while they take nothing.
    answered: usize,
    by_age: Vec<Age>,
    /// The slowest first.
    slowest: Vec<SlowClient>,
}

/// The number of clients that have been connected for less than a time, and not less than the one before.
#[derive(Debug, Serialize)]
struct Age {
    /// `None` for any time.
    under_seconds: Option<u64>,
    clients: usize,
}

#[derive(Debug, Serialize)]
struct History {
    messages: usize,
    bytes: usize,
    bytes_limit: usize,
    topics: usize,
    patterns: usize,
    /// Those that take the most memory.
    largest: Vec<Largest>,
}

#[derive(Debug, Serialize)]
struct Largest {
    topic: String,
    messages: usize,
    bytes: usize,
    followers: usize,
}

#[derive(Debug, Serialize)]
struct Backplane {
    /// Other processes share the history.
    shared: bool,
    up: bool,
    publishing: bool,
    /// The reason why it is not up.
    message: Option<String>,
}

impl Overview {
    /// Asks the clients, the history and the backplane.
    pub(super) async fn of(app: &App) -> Self {
        let Answers { clients: answered, ages, slowest, .. } = app.ask_clients(None).await;
        let by_age = AGES.into_iter().zip(ages);
        let by_age = by_age.map(|(age, clients)| Age { under_seconds: (age < u64::MAX).then_some(age), clients });
        let (hub, backplane) = (app.hub(), app.backplane());
        let ready = backplane.ready();
        Self {
            version: env!("CARGO_PKG_VERSION"),
            transport: app.metrics().transport(),
            uptime_seconds: app.uptime_micros() / 1_000_000,
            draining: app.drain().is_draining(),
            clients: Clients { connected: app.metrics().staying(), answered, by_age: by_age.collect(), slowest },
            gaps: app.gaps().newest_first(),
            history: History {
                messages: hub.messages(),
                bytes: hub.bytes(),
                bytes_limit: hub.limits().bytes,
                topics: hub.topics(),
                patterns: hub.patterns_with(&[]),
                largest: hub.largest_topics(TOPICS).into_iter().map(Largest::from).collect(),
            },
            backplane: Backplane {
                shared: backplane.is_shared(),
                up: ready.is_ok(),
                publishing: backplane.publishable().is_ok(),
                message: ready.err().map(|reason| reason.to_string()),
            },
        }
    }
}

impl From<TopicUse> for Largest {
    fn from(TopicUse { topic, messages, bytes, followers }: TopicUse) -> Self {
        Self { topic: topic.to_string(), messages, bytes, followers }
    }
}
