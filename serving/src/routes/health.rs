//! `/livez` and `/readyz`, for what watches over the process.

use std::sync::Arc;

use http::StatusCode;
use serde_json::json;
use warp::Filter;
use warp::filters::BoxedFilter;
use warp::reply::Response;

use super::json::{answer, json};
use super::route::{Upgrade, route};
use crate::app::App;
use crate::error::ApiError;

pub(super) fn routes(app: &Arc<App>) -> BoxedFilter<(Response,)> {
    // The process lives as long as it answers.
    let live = route("/livez", "GET, HEAD", Upgrade::Refused)
        .map(|_| answer(Ok(json(StatusCode::OK, json!({ "status": "live" })))));
    let app = Arc::clone(app);
    let ready = route("/readyz", "GET, HEAD", Upgrade::Refused).map(move |_| {
        let readiness = app.readiness().map_err(ApiError::NotReady);
        answer(readiness.map(|readiness| json(StatusCode::OK, readiness)))
    });
    live.or(ready).unify().boxed()
}
