//! Traces: the way of a message, from the request that published it to its writes on all processes, as spans for an OpenTelemetry
//! collector: `--otlp`.
//!
//! There is a span for each publication, for the first deliveries of each message, and for each connection that has ended. The
//! `traceparent` of a publication is kept with its messages and handed on in any case; see [`shared::traceparent`].
//!
//! - `config`: the flags; `recorder`: the spans; `deliveries`: their limit
//! - `exporter`, `http`: the way to the collector
//! - `absent`: in place of all that, where the feature `otlp` is off

#[cfg(not(feature = "otlp"))]
mod absent;
#[cfg(feature = "otlp")]
mod config;
#[cfg(feature = "otlp")]
mod deliveries;
#[cfg(feature = "otlp")]
mod exporter;
#[cfg(feature = "otlp")]
mod http;
#[cfg(feature = "otlp")]
mod recorder;

use std::sync::Arc;
use std::time::Duration;

use crate::client_address::ClientAddress;
use crate::metrics::End;
use shared::traceparent::Traceparent;

#[cfg(not(feature = "otlp"))]
pub(crate) use absent::Recorder;
#[cfg(feature = "otlp")]
pub use config::{BadCollector, Collector, TracesConfig};
#[cfg(feature = "otlp")]
pub(crate) use recorder::Recorder;
#[cfg(feature = "otlp")]
pub use recorder::TracesError;

/// A client, as spans name it.
#[derive(Debug)]
#[cfg_attr(not(feature = "otlp"), expect(dead_code, reason = "nobody records it"))]
pub(crate) struct SpanClient<'a> {
    /// Its address; `None` for a client in memory.
    pub(crate) address: Option<ClientAddress>,
    /// The subject of its token.
    pub(crate) subject: Option<&'a Arc<str>>,
}

/// A connection that has ended.
#[derive(Debug)]
#[cfg_attr(not(feature = "otlp"), expect(dead_code, reason = "nobody records it"))]
pub(crate) struct EndedStay {
    /// The operation that asked for it.
    pub(crate) parent: Option<Traceparent>,
    pub(crate) stayed: Duration,
    pub(crate) end: End,
}
