//! Spans on their way to the collector, counted.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use opentelemetry_otlp::SpanExporter as OtlpExporter;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{SpanData, SpanExporter};
use prometheus_client::metrics::counter::Counter;
use tracing::{info, warn};

/// An exporter that counts the spans which the collector has taken, and says in the log when it takes none.
#[derive(Debug)]
pub(super) struct CountingExporter {
    exporter: OtlpExporter,
    exported: Counter,
    fails: Arc<AtomicBool>,
}

impl CountingExporter {
    pub(super) fn new(exporter: OtlpExporter, exported: Counter) -> Self {
        Self { exporter, exported, fails: Arc::default() }
    }
}

impl SpanExporter for CountingExporter {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let spans = batch.len() as u64;
        let result = self.exporter.export(batch).await;
        let has_failed = self.fails.swap(result.is_err(), Ordering::Relaxed);
        match &result {
            Ok(()) => {
                self.exported.inc_by(spans);
                if has_failed {
                    info!("the collector takes traces again");
                }
            }
            Err(error) if !has_failed => {
                warn!(%error, "the collector of --otlp takes no traces; they are lost until it does");
            }
            Err(_) => {}
        }
        result
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.exporter.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}
