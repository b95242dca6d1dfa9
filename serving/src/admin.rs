//! The port of those who run the service: `--admin-listen`.
//!
//! | endpoint | |
//! | --- | --- |
//! | `GET /metrics` | the metrics, for Prometheus |
//! | `GET /debug`, `/debug.json` | the slowest readers, the latest gaps, the largest topics: a page, and what it shows |
//! | `POST /debug/end?client=…` | ends a client |

mod overview;

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderName, Method, Request, StatusCode};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio::time::sleep;
use tracing::{debug, info, warn};
use warp::reply::Response;

use crate::app::App;
use crate::error::ApiError;
use crate::inquiry::ClientId;
use crate::query::Query;
use crate::reply::Reply;
use crate::routes::{DEBUG_PAGE, METRICS, json, metrics};
use overview::Overview;

/// The path of what the page `/debug` shows.
const DEBUG: &str = "/debug.json";

/// The path by which a client is ended.
const END: &str = "/debug/end";

/// The header of a request that ends a client.
const CONSENT: HeaderName = HeaderName::from_static("x-push-debug");

/// The pause before accepting again when the system has no more descriptors or memory.
const PAUSE: Duration = Duration::from_millis(100);

/// Serves those who run the service, for as long as it is polled.
pub(crate) async fn serve(listener: TcpListener, app: Arc<App>) {
    let mut connections = JoinSet::new();
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                warn!(%error, "cannot accept a connection to --admin-listen, trying again");
                sleep(PAUSE).await;
                continue;
            }
        };
        let app = Arc::clone(&app);
        connections.spawn(async move {
            let times = &app.config.connections;
            let serving = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(times.idle_timeout)
                .serve_connection(TokioIo::new(stream), service_fn(|request| answer(Arc::clone(&app), request)));
            if let Err(error) = serving.await {
                debug!(%error, "a connection to --admin-listen ended");
            }
        });
        while connections.try_join_next().is_some() {}
    }
}

/// Answers a request.
async fn answer(app: Arc<App>, request: Request<Incoming>) -> Result<Response, Infallible> {
    let answer = match request.uri().path() {
        END => end(&app, &request).await.map(Into::into),
        path => match (path, request.method()) {
            (METRICS, &Method::GET | &Method::HEAD) => Ok(metrics(&app, request.headers()).into()),
            (DEBUG, &Method::GET | &Method::HEAD) => Ok(json(StatusCode::OK, Overview::of(&app).await).into()),
            (_, method) => match DEBUG_PAGE.iter().find(|asset| asset.path == path) {
                Some(asset) if matches!(*method, Method::GET | Method::HEAD) => {
                    Ok(asset.response(request.headers(), ""))
                }
                None if ![METRICS, DEBUG].contains(&path) => Err(ApiError::NotFound),
                _ => Err(ApiError::MethodNotAllowed { allow: "GET, HEAD" }),
            },
        },
    };
    Ok(answer.unwrap_or_else(|error| error.reply().into()))
}

/// Ends the client that the query names.
async fn end(app: &App, request: &Request<Incoming>) -> Result<Reply, ApiError> {
    if *request.method() != Method::POST {
        return Err(ApiError::MethodNotAllowed { allow: "POST" });
    }
    // Pages of other sites may send no header of their own.
    if !request.headers().contains_key(CONSENT) {
        let reason =
            "send this header, with any value, to end a client; pages of other sites cannot send it".to_owned();
        return Err(ApiError::BadParameter { parameter: "X-Push-Debug", reason });
    }
    let query = Query::new(request.uri().query().unwrap_or_default().to_owned());
    let client = query.get("client").and_then(|client| client.parse::<ClientId>().ok());
    let has_ended = match client {
        Some(client) => app.ask_clients(Some(client)).await.has_ended,
        None => false,
    };
    if !has_ended {
        let reason = "names no client that is connected; take one from /debug.json".to_owned();
        return Err(ApiError::BadParameter { parameter: "client", reason });
    }
    info!(client = query.get("client").as_deref(), "a client was ended by somebody who runs the service");
    Ok(Reply::empty(StatusCode::NO_CONTENT))
}
