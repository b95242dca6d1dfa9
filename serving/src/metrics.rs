//! The counts and measurements of a service, for Prometheus: `/metrics`.
//!
//! Whoever counts has its counter at hand; nothing is looked up where messages are delivered. What can be asked for, such as the number of
//! topics, is asked for when the metrics are.
//!
//! - `labels`: the values of labels
//! - `counters`: all metrics; `rejections`, `tokens`, `handshakes`: what was refused, of requests, tokens and connections of TLS; `deliveries`: what is
//!   delivered, counted by thread; `figures`: what the backplane counts; `process`: the process
//! - `scrape`: the text of all of them; `text`: its form for older scrapers

mod counters;
mod deliveries;
mod figures;
mod handshakes;
mod labels;
#[cfg(target_os = "linux")]
mod process;
mod rejections;
mod scrape;
mod text;
mod tokens;

pub(crate) use counters::Metrics;
#[cfg(feature = "otlp")]
pub(crate) use counters::SpanCounts;
pub use deliveries::Delivery;
pub(crate) use handshakes::{Handshake, HandshakeResult, Handshakes};
pub use labels::{End, Method};
pub(crate) use rejections::Rejections;
pub(crate) use scrape::text;
pub(crate) use tokens::{KeySetReadings, TokenRefusals};
