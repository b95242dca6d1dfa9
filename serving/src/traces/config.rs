//! The flags of traces.

use std::fmt;

use clap::Args;
use url::Url;

/// The collector of traces, and what it is sent.
#[derive(Debug, Clone, Args)]
pub struct TracesConfig {
    /// Send traces to the OpenTelemetry collector at this URL, by OTLP over HTTP, such as http://localhost:4318. The variables
    /// OTEL_EXPORTER_OTLP_HEADERS, OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES count too
    #[arg(long, env = "PUSH_OTLP", value_name = "URL", hide_env_values = true)]
    pub otlp: Option<Collector>,
    /// The part of the traces that begin here which is sent, from 0 to 1. Of a publication that is part of a trace already, its
    /// `traceparent` says whether that is recorded
    #[arg(long, env = "PUSH_OTLP_SAMPLE", value_name = "PART", default_value = "1", value_parser = part)]
    pub otlp_sample: f64,
    /// Spans per second that are recorded, whoever asks for them; the rest is counted
    #[arg(long, env = "PUSH_OTLP_BUDGET", value_name = "N", default_value = "1000")]
    pub otlp_budget: u32,
    /// The deliveries of one message by this process that are sent, the first ones; those of further clients are not
    #[arg(long, env = "PUSH_OTLP_DELIVERIES", value_name = "N", default_value = "10")]
    pub otlp_deliveries: u8,
}

/// The URL of a collector, as it was written. It is looked at when the service starts: an error of the command line would repeat it, and
/// it may hold a password.
#[derive(Clone, PartialEq, Eq)]
pub struct Collector(String);

/// The URL that takes spans.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Endpoint(Url);

/// The error for a text that is no URL of a collector.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "--otlp takes the URL of an OpenTelemetry collector, such as http://localhost:4318, without user and password; \
     put what the collector asks for into OTEL_EXPORTER_OTLP_HEADERS"
)]
pub struct BadCollector;

impl From<String> for Collector {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Debug for Collector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Collector")
    }
}

impl Collector {
    /// The URL that takes spans. Without a path it has the standard's, `/v1/traces` (OTLP specification, section "OTLP/HTTP Request").
    pub(super) fn endpoint(&self) -> Result<Endpoint, BadCollector> {
        let mut url = Url::parse(&self.0).map_err(|_| BadCollector)?;
        let has_password = !url.username().is_empty() || url.password().is_some();
        if has_password || !matches!(url.scheme(), "http" | "https") {
            return Err(BadCollector);
        }
        if url.path() == "/" {
            url.set_path("/v1/traces");
        }
        Ok(Endpoint(url))
    }
}

impl Endpoint {
    pub(super) fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// Returns whether the collector is asked by TLS.
    pub(super) fn uses_tls(&self) -> bool {
        self.0.scheme() == "https"
    }
}

/// The error for a text that is no part of the traces.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("write a number from 0 to 1, such as 0.1")]
struct BadPart;

fn part(text: &str) -> Result<f64, BadPart> {
    let part = text.parse().ok().filter(|part| (0.0..=1.0).contains(part));
    part.ok_or(BadPart)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_collector_without_a_path_has_the_standard_one() {
        for (text, endpoint) in [
            ("http://localhost:4318", "http://localhost:4318/v1/traces"),
            ("https://otlp.example/", "https://otlp.example/v1/traces"),
            ("https://otlp.example/tenant/v1/traces", "https://otlp.example/tenant/v1/traces"),
        ] {
            assert_eq!(Collector::from(text.to_owned()).endpoint().unwrap().as_str(), endpoint);
        }
    }

    #[test]
    fn anything_else_is_no_collector() {
        for bad in ["", "localhost:4318", "grpc://localhost:4317", "http://user:password@localhost", "http://"] {
            assert_eq!(Collector::from(bad.to_owned()).endpoint(), Err(BadCollector), "{bad}");
        }
        assert_eq!((part("0"), part("1"), part("0.25")), (Ok(0.0), Ok(1.0), Ok(0.25)));
        for bad in ["", "-0.1", "1.1", "NaN", "half"] {
            assert!(part(bad).is_err(), "{bad}");
        }
    }
}
