//! `/metrics`, for Prometheus.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderMap, StatusCode};
use warp::Filter;

use super::route::{Route, Upgrade};
use crate::app::App;
use crate::metrics;
use crate::reply::{Body, Reply};
use crate::request::Request;

/// The path of the metrics.
pub(crate) const METRICS: &str = "/metrics";

pub(super) fn route(app: &Arc<App>) -> Route {
    let app = Arc::clone(app);
    Route::new(METRICS, "GET, HEAD", Upgrade::Refused, |requests| {
        requests.map(move |request: Request| metrics(&app, &request.headers).into()).boxed()
    })
}

/// The metrics, in the form that the scraper prefers: OpenMetrics 1.0 where it knows that, and the text format 0.0.4 else.
pub(crate) fn metrics(app: &App, headers: &HeaderMap) -> Reply {
    let accepted = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let openmetrics = accepted.flat_map(|value| value.split(',')).any(|range| {
        let essence = range.split(';').next().unwrap_or_default().trim();
        essence.eq_ignore_ascii_case("application/openmetrics-text")
    });
    let text = metrics::text(app, openmetrics);
    let kind = match openmetrics {
        true => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        false => "text/plain; version=0.0.4; charset=utf-8",
    };
    let reply = Reply::new(StatusCode::OK, Body::from_iter([Bytes::from(text)]));
    reply.with(CONTENT_TYPE, kind).with(CACHE_CONTROL, "no-store")
}
