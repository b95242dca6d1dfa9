//! `/livez` and `/readyz`, for what watches over the process.

use std::sync::Arc;

use http::StatusCode;
use serde_json::json;
use warp::Filter;

use super::json::{answer, json};
use super::route::{Route, Upgrade};
use crate::app::App;
use crate::error::ApiError;

pub(super) fn routes(app: &Arc<App>) -> [Route; 2] {
    // The process lives as long as it answers.
    let live = |_| answer(Ok(json(StatusCode::OK, json!({ "status": "live" }))));
    let app = Arc::clone(app);
    let ready = move |_| {
        let readiness = app.readiness().map_err(ApiError::NotReady);
        answer(readiness.map(|readiness| json(StatusCode::OK, readiness)))
    };
    [
        Route::new("/livez", "GET, HEAD", Upgrade::Refused, |requests| requests.map(live).boxed()),
        Route::new("/readyz", "GET, HEAD", Upgrade::Refused, |requests| requests.map(ready).boxed()),
    ]
}
