//! `POST /ticket`: a ticket for whoever can send a token here, and nowhere but in the URL afterwards.

use std::sync::Arc;

use http::StatusCode;
use http::header::CACHE_CONTROL;
use serde_json::json;
use shared::timestamp::Timestamp;
use warp::Filter;

use super::json::{answer, json};
use super::route::{Route, Upgrade};
use crate::app::App;
use crate::error::ApiError;
use crate::query::Parameters;
use crate::reply::Reply;
use crate::request::Request;

/// The route takes no parameters.
const PARAMETERS: Parameters = Parameters { repeated: &[], single: &[] };

pub(super) fn route(app: &Arc<App>) -> Route {
    let app = Arc::clone(app);
    let respond = move |request: Request| {
        let app = Arc::clone(&app);
        async move { answer(ticket_for(&app, &request).await) }
    };
    Route::new("/ticket", "POST", Upgrade::Refused, |requests| requests.then(respond).boxed())
}

async fn ticket_for(app: &App, request: &Request) -> Result<Reply, ApiError> {
    request.query.check(&PARAMETERS)?;
    let ticket = request.ticket(app).await?;
    let expires = Timestamp::from_millis((ticket.expires * 1000.0) as u64);
    let body = json!({ "ticket": ticket.text, "expires": expires });
    Ok(json(StatusCode::CREATED, body).with(CACHE_CONTROL, "no-store"))
}
