//! `bench publish`: how many publications a server confirms, and how soon.
//!
//! In reading order: `command` (the command line), `candidate` (the servers, by name), `work`, `over_http` (one
//! measurement), `stored` (the history afterwards), `jetstream` (NATS itself, without a service before it), `confirmed` (the numbers).

mod candidate;
mod command;
mod confirmed;
mod jetstream;
mod over_http;
mod stored;
mod work;

pub use command::Publish;
pub use over_http::measure;
pub use work::Work;
