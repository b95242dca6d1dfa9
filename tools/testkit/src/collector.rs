//! A collector of traces, as a service sends them: OTLP over HTTP, in protobuf (OTLP specification, section "OTLP/HTTP").

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::CONTENT_TYPE;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse};
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value};
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use prost::Message;
use tokio::net::TcpListener;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;

use crate::soon::soon;

/// A collector in this process.
#[derive(Debug)]
pub struct Collector {
    address: SocketAddr,
    coming: UnboundedReceiver<CollectedSpan>,
    collected: Vec<CollectedSpan>,
    task: JoinHandle<()>,
}

/// A span, with what it was sent with. Identifiers are in hexadecimal, as in a `traceparent`.
#[derive(Debug, Clone)]
pub struct CollectedSpan {
    /// The attributes of the process, by their names.
    pub process: HashMap<String, String>,
    /// Its name.
    pub name: String,
    /// The trace that it belongs to.
    pub trace: String,
    /// Its identifier.
    pub id: String,
    /// That of its parent. Empty if it has none.
    pub parent: String,
    /// Its attributes, by their names.
    pub attributes: HashMap<String, String>,
    /// Its beginning and its end, in nanoseconds since the Unix epoch.
    pub time: (u64, u64),
    /// Its status is an error.
    pub has_failed: bool,
}

impl CollectedSpan {
    /// An attribute; empty if it has none of the name.
    pub fn attribute(&self, name: &str) -> &str {
        self.attributes.get(name).map_or("", String::as_str)
    }
}

impl Collector {
    /// Starts a collector.
    ///
    /// # Panics
    /// When the system has no port.
    pub async fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
        let address = listener.local_addr().expect("a bound listener has an address");
        let (spans, coming) = unbounded_channel();
        let task = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.expect("a connection");
                let spans = spans.clone();
                let service = service_fn(move |request| answer(request, spans.clone()));
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
            }
        });
        Self { address, coming, collected: Vec::new(), task }
    }

    /// The URL to give to a service.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Waits for a span of a name, and takes it.
    #[track_caller]
    pub fn span(&mut self, name: &str) -> impl Future<Output = CollectedSpan> {
        soon(async move {
            loop {
                if let Some(index) = self.collected.iter().position(|span| span.name == name) {
                    return self.collected.remove(index);
                }
                let span = self.coming.recv().await.expect("the collector runs");
                self.collected.push(span);
            }
        })
    }

    /// The spans that have come and were not taken.
    pub fn rest(&mut self) -> Vec<CollectedSpan> {
        while let Ok(span) = self.coming.try_recv() {
            self.collected.push(span);
        }
        std::mem::take(&mut self.collected)
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn answer(
    request: Request<Incoming>,
    spans: UnboundedSender<CollectedSpan>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    assert_eq!((request.method(), request.uri().path()), (&Method::POST, "/v1/traces"));
    assert_eq!(request.headers()[CONTENT_TYPE], "application/x-protobuf");
    let body = request.into_body().collect().await.expect("a whole body").to_bytes();
    let request = ExportTraceServiceRequest::decode(body).expect("spans");
    for resource in request.resource_spans {
        let process = texts(resource.resource.expect("a process").attributes);
        for span in resource.scope_spans.into_iter().flat_map(|scope| scope.spans) {
            // An error means that the test has ended.
            let _ = spans.send(CollectedSpan {
                process: process.clone(),
                name: span.name,
                trace: hexadecimal(&span.trace_id),
                id: hexadecimal(&span.span_id),
                parent: hexadecimal(&span.parent_span_id),
                attributes: texts(span.attributes),
                time: (span.start_time_unix_nano, span.end_time_unix_nano),
                has_failed: span.status.is_some_and(|status| status.code() == StatusCode::Error),
            });
        }
    }
    Ok(Response::new(Full::new(ExportTraceServiceResponse::default().encode_to_vec().into())))
}

fn texts(attributes: Vec<KeyValue>) -> HashMap<String, String> {
    let text = |attribute: KeyValue| {
        let value = match attribute.value.and_then(|value| value.value) {
            Some(any_value::Value::StringValue(text)) => text,
            Some(any_value::Value::IntValue(number)) => number.to_string(),
            Some(any_value::Value::BoolValue(is_on)) => is_on.to_string(),
            other => format!("{other:?}"),
        };
        (attribute.key, value)
    };
    attributes.into_iter().map(text).collect()
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
