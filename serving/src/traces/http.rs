//! The client of HTTP that reaches the collector, on the runtime of the service: the exporter has a thread of its own.

use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use http::{Request, Response};
use opentelemetry_http::{HttpClient, HttpError};
use reqwest::Client;
use reqwest::redirect::Policy;
use tokio::runtime::Handle;

use super::config::Endpoint;
use crate::tls::use_ring;

/// The time that the collector has to answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// A client of HTTP that runs where the service does.
#[derive(Debug)]
pub(super) struct RuntimeClient {
    http: Client,
    runtime: Handle,
}

impl RuntimeClient {
    /// A client for a collector, on the runtime of the caller.
    pub(super) fn new(collector: &Endpoint) -> Result<Self, reqwest::Error> {
        use_ring();
        let http = Client::builder().redirect(Policy::none()).timeout(PATIENCE);
        // A system without certificates can do without them in the clear.
        let http = if collector.uses_tls() { http } else { http.tls_certs_only([]) };
        Ok(Self { http: http.build()?, runtime: Handle::current() })
    }
}

impl HttpClient for RuntimeClient {
    fn send_bytes<'a, 'b>(&'a self, request: Request<Bytes>) -> BoxFuture<'b, Result<Response<Bytes>, HttpError>>
    where
        'a: 'b,
    {
        let http = self.http.clone();
        let sent = self.runtime.spawn(async move {
            let answer = http.execute(request.try_into()?).await?;
            let (status, body) = (answer.status(), answer.bytes().await?);
            let mut response = Response::new(body);
            *response.status_mut() = status;
            Ok::<_, reqwest::Error>(response)
        });
        async move { Ok(sent.await??) }.boxed()
    }
}
