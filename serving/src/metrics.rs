//! What a service counts and measures, for Prometheus: `/metrics`.
//!
//! Whoever counts has its counter at hand; nothing is looked up where messages are delivered. What can be asked for, such as the number of
//! topics, is asked for when the metrics are.
//!
//! - `labels`: the values of labels
//! - `counters`: all metrics; `rejections`: what was refused; `deliveries`: what is delivered, counted by thread; `process`: the process
//! - `scrape`: the text of all of them; `text`: its form for older scrapers

mod counters;
mod deliveries;
mod labels;
#[cfg(target_os = "linux")]
mod process;
mod rejections;
mod scrape;
mod text;

pub(crate) use counters::Metrics;
#[cfg(feature = "otlp")]
pub(crate) use counters::SpanCounts;
pub use deliveries::Delivery;
pub use labels::{End, Method};
pub(crate) use rejections::Rejections;
pub(crate) use scrape::text;
