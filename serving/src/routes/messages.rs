//! `/messages`: POST publishes, GET reads a page of the history; neither request is held.

use std::pin::pin;
use std::sync::Arc;

use bytes::{Buf, Bytes};
use futures_util::{FutureExt, Stream, stream};
use http::header::CACHE_CONTROL;
use http::{Method, StatusCode};
use shared::backplane::{IdempotencyKey, Publication};
use shared::cursor::Position;
use shared::hub::BatchLimit;
use warp::Filter;

use super::body::{Body, Form, read};
use super::json::{answer, json};
use super::method::Answered;
use super::route::{Route, Upgrade};
use crate::app::App;
use crate::error::ApiError;
use crate::page::{self, DEFAULT_LIMIT, MAX_BYTES, MAX_LIMIT};
use crate::query::{Parameters, TICKET};
use crate::reply::Reply;
use crate::request::Request;

/// The parameters of a publication. Several topics are refused by [`Query::one_topic`](crate::query::Query::one_topic).
const PUBLISH: Parameters = Parameters { repeated: &["topic"], single: &[TICKET] };

/// The parameters of a page.
const PAGE: Parameters = Parameters { repeated: &["topic"], single: &["since", "limit", TICKET] };

/// The path of publications and pages.
pub(crate) const MESSAGES: &str = "/messages";

pub(super) fn route(app: &Arc<App>) -> Route {
    let app = Arc::clone(app);
    let respond = move |request: Request, body| {
        let app = Arc::clone(&app);
        async move {
            answer(match request.method {
                Method::POST => publish(&app, &request, body).await,
                _ => page_of(&app, &request).await,
            })
        }
    };
    Route::new(MESSAGES, "GET, HEAD, POST", Upgrade::Refused, |requests| {
        requests.and(warp::body::stream()).then(respond).boxed()
    })
}

/// Answers a publication whose body has come.
pub(crate) async fn publish_whole(app: Arc<App>, request: Request, body: Bytes) -> Answered {
    let body = stream::iter((!body.is_empty()).then_some(Ok(body)));
    Ok(publish(&app, &request, body).await?.into())
}

async fn publish<B: Buf>(
    app: &App,
    request: &Request,
    body: impl Stream<Item = Result<B, warp::Error>>,
) -> Result<Reply, ApiError> {
    request.query.check(&PUBLISH)?;
    let topic = request.query.one_topic()?;
    let key = match request.headers.get("idempotency-key") {
        Some(key) => Some(key.to_str().unwrap_or_default().parse::<IdempotencyKey>()?),
        None => None,
    };
    let form = Form::of(request)?;
    let access = request.access(app).await?;
    // Before the body is read, though nothing is counted yet.
    app.check_publish(&topic, &access, request.client())?;
    // The reservation is for the messages too, until they are in the history.
    let Body { bytes, reservation: _reservation } = read(app, request, body).await?;
    let is_array = matches!(form, Form::Json) && bytes.trim_ascii_start().starts_with(b"[");
    let turn = app.body_turns().take(bytes.len(), is_array).await;
    let (drafts, many) = form.parse(bytes, app.config.input.max_array)?;

    let publication = Publication { traceparent: request.traceparent(), ..Publication::new(topic, drafts, key) };
    let mut publishing = pin!(app.publish(publication, &access, request.client()));
    let receipt = match publishing.as_mut().now_or_never() {
        // Its answer is a part of the turn.
        Some(receipt) => receipt?,
        None => {
            // A backplane that takes time takes none of this process's.
            drop(turn);
            publishing.await?
        }
    };
    let status = if receipt.repeated { StatusCode::OK } else { StatusCode::CREATED };
    let mut placed: Vec<_> = receipt.each().collect();
    Ok(if many { json(status, placed) } else { json(status, placed.swap_remove(0)) })
}

async fn page_of(app: &App, request: &Request) -> Result<Reply, ApiError> {
    request.query.check(&PAGE)?;
    let topics = request.query.topics()?;
    let since = request.query.since()?.unwrap_or(Position::Earliest);
    let messages = request.query.number("limit", 1..=MAX_LIMIT)?.unwrap_or(DEFAULT_LIMIT);
    let access = request.access(app).await?;
    let mut subscriber = app.subscribe(&topics, since, &access).await?;
    let batch = app.read(&mut subscriber, &page::JSON, BatchLimit { messages, bytes: MAX_BYTES }).await?;
    let page = page::body(&batch, subscriber.cursor());
    Ok(Reply::json(StatusCode::OK, page).with(CACHE_CONTROL, "no-store"))
}
