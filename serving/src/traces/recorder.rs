//! The spans of a service.

use std::env;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use opentelemetry::trace::{
    Span as _, SpanBuilder, SpanContext, SpanId, SpanKind, Status, TraceContextExt, TraceFlags, TraceId, TraceState,
    Tracer as _, TracerProvider,
};
use opentelemetry::{Context, KeyValue};
use opentelemetry_otlp::{ExporterBuildError, Protocol, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::resource::{EnvResourceDetector, TelemetryResourceDetector};
use opentelemetry_sdk::trace::{BatchConfigBuilder, BatchSpanProcessor, Sampler, SdkTracer, SdkTracerProvider, Span};
use prometheus_client::metrics::counter::Counter;
use shared::backplane::{Publication, Receipt};
use shared::hub::{Tally, Traced};
use shared::message::Message;
use shared::traceparent::Traceparent;
use tokio::task::spawn_blocking;

use super::config::{BadCollector, TracesConfig};
use super::deliveries::Deliveries;
use super::exporter::CountingExporter;
use super::http::RuntimeClient;
use super::{EndedStay, SpanClient};
use crate::metrics::{Method, SpanCounts};
use crate::per_second::PerSecond;

/// The time that the last spans have to reach the collector when the service ends.
const LAST_SPANS: Duration = Duration::from_secs(2);

/// The time that spans have to be sent together.
const GATHER: Duration = Duration::from_secs(1);

/// Records the spans of a service, and has them sent in the background. Spans that the collector does not take in time are lost, and
/// nothing else waits for it.
#[derive(Debug)]
pub(crate) struct Recorder {
    provider: SdkTracerProvider,
    tracer: SdkTracer,
    transport: &'static str,
    sample: f64,
    budget: u64,
    taken: PerSecond,
    deliveries: Deliveries,
    recorded: Counter,
    over_budget: Counter,
}

/// The reason why traces cannot be sent.
#[derive(Debug, thiserror::Error)]
pub enum TracesError {
    /// See [`BadCollector`].
    #[error(transparent)]
    Collector(#[from] BadCollector),
    /// There is nothing to check the collector's certificate by.
    #[error("--otlp has https, and the system has no certificates to trust")]
    NoClient(#[source] reqwest::Error),
    /// A variable of OpenTelemetry is not valid.
    #[error("--otlp cannot be used; look at the variables that begin with OTEL_")]
    Exporter(#[source] ExporterBuildError),
}

/// A publication that is under way, if it is recorded.
pub(crate) struct PublicationSpan(Option<Span>);

impl Recorder {
    /// The recorder of a service of a method; `None` without `--otlp`.
    pub(crate) fn new(
        config: &TracesConfig,
        method: Method,
        counts: impl FnOnce() -> SpanCounts,
    ) -> Result<Option<Self>, TracesError> {
        let Some(collector) = &config.otlp else { return Ok(None) };
        let endpoint = collector.endpoint()?;
        let client = RuntimeClient::new(&endpoint).map_err(TracesError::NoClient)?;
        let exporter = opentelemetry_otlp::SpanExporter::builder()
            .with_http()
            .with_http_client(client)
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(endpoint.as_str())
            .build()
            .map_err(TracesError::Exporter)?;
        let SpanCounts { recorded, exported, over_budget } = counts();
        let exporter = CountingExporter::new(exporter, exported);
        let batches = BatchConfigBuilder::default().with_scheduled_delay(GATHER).build();
        let provider = SdkTracerProvider::builder()
            .with_span_processor(BatchSpanProcessor::builder(exporter).with_batch_config(batches).build())
            .with_sampler(Sampler::AlwaysOn)
            .with_resource(resource(method))
            .build();
        let (tracer, transport) = (provider.tracer("push"), method.label());
        let (sample, budget, taken) = (config.otlp_sample, config.otlp_budget.into(), PerSecond::new());
        let deliveries = Deliveries::new(config.otlp_deliveries);
        Ok(Some(Self { provider, tracer, transport, sample, budget, taken, deliveries, recorded, over_budget }))
    }

    /// Begins the span of a publication, whose messages are part of its trace from now on.
    pub(crate) fn begin_publication(&self, publication: &mut Publication, client: SpanClient<'_>) -> PublicationSpan {
        if !self.takes(publication.traceparent) {
            return PublicationSpan(None);
        }
        let mut attributes = self.attributes(client);
        attributes.push(KeyValue::new("messaging.operation.type", "send"));
        attributes.push(KeyValue::new("messaging.destination.name", publication.topic.as_str().to_owned()));
        attributes.push(KeyValue::new("messaging.batch.message_count", publication.drafts.len() as i64));
        let builder = SpanBuilder::from_name("publish").with_kind(SpanKind::Server).with_attributes(attributes);
        let span = self.begin(builder, publication.traceparent);
        publication.traceparent = traceparent(span.span_context());
        PublicationSpan(Some(span))
    }

    /// Ends the span of a publication with the answer to it, or with the code of its error.
    pub(crate) fn end_publication(&self, span: PublicationSpan, result: Result<&Receipt, &'static str>) {
        let PublicationSpan(Some(mut span)) = span else { return };
        match result {
            Ok(receipt) => {
                let first = receipt.each().next().map(|placed| placed.id.to_string());
                span.set_attribute(KeyValue::new("messaging.message.id", first.unwrap_or_default()));
                span.set_attribute(KeyValue::new("push.repeated", receipt.repeated));
            }
            Err(code) => fail(&mut span, code),
        }
        span.end();
    }

    /// Records that a client was handed messages which are part of traces.
    #[cold]
    pub(crate) fn record_delivery<'a>(&self, tally: &Tally, client: impl FnOnce() -> SpanClient<'a>) {
        let is_recorded =
            |message: &Message| self.deliveries.take(message.id) && self.takes(message.traceparent.as_deref().copied());
        let mut recorded = tally.traced.iter().filter(|traced| is_recorded(&traced.entry.message)).peekable();
        if recorded.peek().is_none() {
            return;
        }
        let (attributes, now) = (self.attributes(client()), SystemTime::now());
        for traced in recorded {
            self.record_one(traced, attributes.clone(), now);
        }
    }

    fn record_one(&self, Traced { entry, is_replayed }: &Traced, mut attributes: Vec<KeyValue>, now: SystemTime) {
        let message = &entry.message;
        attributes.push(KeyValue::new("push.replayed", *is_replayed));
        attributes.push(KeyValue::new("messaging.operation.type", "process"));
        attributes.push(KeyValue::new("messaging.destination.name", message.topic.as_str().to_owned()));
        attributes.push(KeyValue::new("messaging.message.id", message.id.to_string()));
        // A message of the archive has no time at which it came to memory.
        let waited = entry.appended().map_or(Duration::ZERO, |appended| appended.elapsed());
        let builder = SpanBuilder::from_name("deliver")
            .with_kind(SpanKind::Consumer)
            .with_start_time(now - waited)
            .with_attributes(attributes);
        let mut span = self.begin(builder, message.traceparent.as_deref().copied());
        span.end_with_timestamp(now);
    }

    /// Records a connection that has ended.
    pub(crate) fn record_stay(&self, EndedStay { parent, stayed, end }: EndedStay, client: SpanClient<'_>) {
        if !self.takes(parent) {
            return;
        }
        let mut attributes = self.attributes(client);
        attributes.push(KeyValue::new("push.end", end.label()));
        let now = SystemTime::now();
        let builder = SpanBuilder::from_name("connection")
            .with_kind(SpanKind::Server)
            .with_start_time(now - stayed)
            .with_attributes(attributes);
        let mut span = self.begin(builder, parent);
        if !end.is_in_order() {
            fail(&mut span, end.label());
        }
        span.end_with_timestamp(now);
    }

    /// Sends what is left, within a time.
    pub(crate) async fn end(&self) {
        let provider = self.provider.clone();
        // An error was logged by the exporter, or is that there was no time.
        let _ = spawn_blocking(move || provider.shutdown_with_timeout(LAST_SPANS)).await;
    }

    /// Decides whether an operation is recorded, before anything is made for its span.
    fn takes(&self, parent: Option<Traceparent>) -> bool {
        if !parent.map_or_else(|| fastrand::f64() < self.sample, |parent| parent.is_sampled()) {
            return false;
        }
        let is_within = self.taken.take(self.budget);
        if !is_within {
            self.over_budget.inc();
        }
        is_within
    }

    fn begin(&self, builder: SpanBuilder, parent: Option<Traceparent>) -> Span {
        let context = Context::new();
        let context = match parent {
            Some(parent) => context.with_remote_span_context(span_context(parent)),
            None => context,
        };
        self.recorded.inc();
        self.tracer.build_with_context(builder, &context)
    }

    fn attributes(&self, SpanClient { address, subject }: SpanClient<'_>) -> Vec<KeyValue> {
        let mut attributes =
            vec![KeyValue::new("messaging.system", "push"), KeyValue::new("push.transport", self.transport)];
        attributes.extend(address.map(|address| KeyValue::new("client.address", address.to_string())));
        attributes.extend(subject.map(|subject| KeyValue::new("user.id", Arc::clone(subject))));
        attributes
    }
}

/// The process, as all its spans name it.
fn resource(method: Method) -> Resource {
    let instance = format!("{:032x}", fastrand::u128(..));
    // The environment counts before these, and OTEL_SERVICE_NAME before OTEL_RESOURCE_ATTRIBUTES.
    let resource = Resource::builder_empty()
        .with_detector(Box::new(TelemetryResourceDetector))
        .with_service_name(method.service())
        .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
        .with_attribute(KeyValue::new("service.instance.id", instance))
        .with_detector(Box::new(EnvResourceDetector::new()));
    match env::var("OTEL_SERVICE_NAME") {
        Ok(name) if !name.is_empty() => resource.with_service_name(name),
        _ => resource,
    }
    .build()
}

fn fail(span: &mut Span, reason: &'static str) {
    span.set_attribute(KeyValue::new("error.type", reason));
    span.set_status(Status::error(""));
}

fn span_context(parent: Traceparent) -> SpanContext {
    let flags = if parent.is_sampled() { TraceFlags::SAMPLED } else { TraceFlags::NOT_SAMPLED };
    let (trace, span) = (TraceId::from_bytes(parent.trace()), SpanId::from_bytes(parent.span()));
    SpanContext::new(trace, span, flags, true, TraceState::NONE)
}

fn traceparent(context: &SpanContext) -> Option<Traceparent> {
    Traceparent::new(context.trace_id().to_bytes(), context.span_id().to_bytes(), context.is_sampled())
}
