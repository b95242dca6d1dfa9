//! The pages for people, and the files that they need. All of them are in the binary.

use std::sync::Arc;

use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, HOST, REFERRER_POLICY};
use http::{HeaderMap, HeaderValue, StatusCode};
use serde::Serialize;
use warp::Filter;
use warp::filters::BoxedFilter;
use warp::reply::Response;

use super::json::{answer, json};
use super::route::{Route, Upgrade};
use crate::app::App;
use crate::entity_tag::EntityTag;
use crate::reply::Reply;
use crate::request::Request;

/// A file that is served as it is.
#[derive(Debug, Clone, Copy)]
pub struct Asset {
    /// The path at which it is served.
    pub path: &'static str,
    /// Its content.
    pub content: &'static str,
}

macro_rules! shared_asset {
    ($path:literal, $file:literal) => {
        Asset { path: $path, content: include_str!(concat!("../../assets/", $file)) }
    };
}

/// The files that are the same for all services.
const SHARED: &[Asset] = &[
    shared_asset!("/compare", "compare.html"),
    shared_asset!("/assets/announcer.js", "announcer.js"),
    shared_asset!("/assets/button.js", "button.js"),
    shared_asset!("/assets/column.js", "column.js"),
    shared_asset!("/assets/compare.css", "compare.css"),
    shared_asset!("/assets/compare.js", "compare.js"),
    shared_asset!("/assets/copy.js", "copy.js"),
    shared_asset!("/assets/cut.js", "cut.js"),
    shared_asset!("/assets/earlier.js", "earlier.js"),
    shared_asset!("/assets/element.js", "element.js"),
    shared_asset!("/assets/feed.css", "feed.css"),
    shared_asset!("/assets/form.js", "form.js"),
    shared_asset!("/assets/history.js", "history.js"),
    shared_asset!("/assets/icon.svg", "icon.svg"),
    shared_asset!("/assets/median.js", "median.js"),
    shared_asset!("/assets/memory.js", "memory.js"),
    shared_asset!("/assets/message-list.js", "message-list.js"),
    shared_asset!("/assets/network.js", "network.js"),
    shared_asset!("/assets/page.js", "page.js"),
    shared_asset!("/assets/plot.js", "plot.js"),
    shared_asset!("/assets/plots.js", "plots.js"),
    shared_asset!("/assets/settings.js", "settings.js"),
    shared_asset!("/assets/state-badge.js", "state-badge.js"),
    shared_asset!("/assets/style.css", "style.css"),
    shared_asset!("/assets/text.js", "text.js"),
    shared_asset!("/assets/theme.js", "theme.js"),
    shared_asset!("/assets/traffic.js", "traffic.js"),
    shared_asset!("/assets/words-chinese.js", "words-chinese.js"),
    shared_asset!("/assets/words-english.js", "words-english.js"),
];

/// The page of those who run the service, and its files.
pub(crate) const DEBUG_PAGE: &[Asset] = &[
    shared_asset!("/debug", "debug.html"),
    shared_asset!("/assets/button.js", "button.js"),
    shared_asset!("/assets/debug.css", "debug.css"),
    shared_asset!("/assets/debug.js", "debug.js"),
    shared_asset!("/assets/icon.svg", "icon.svg"),
    shared_asset!("/assets/memory.js", "memory.js"),
    shared_asset!("/assets/settings.js", "settings.js"),
    shared_asset!("/assets/style.css", "style.css"),
    shared_asset!("/assets/text.js", "text.js"),
    shared_asset!("/assets/theme.js", "theme.js"),
    shared_asset!("/assets/words-chinese.js", "words-chinese.js"),
    shared_asset!("/assets/words-english.js", "words-english.js"),
];

impl Asset {
    pub(super) fn content_type(&self) -> &'static str {
        match self.path.rsplit_once('.') {
            Some((_, "css")) => "text/css; charset=utf-8",
            Some((_, "js")) => "text/javascript; charset=utf-8",
            Some((_, "svg")) => "image/svg+xml",
            _ => "text/html; charset=utf-8",
        }
    }

    /// The answer with the file, or without it if the client has it already. Its scripts may connect to these sources too, each with a
    /// space before it.
    pub(crate) fn response(&self, headers: &HeaderMap, sources: &str) -> Response {
        let tag = EntityTag::of(self.content);
        let mut response = if tag.is_kept(headers) {
            Reply::empty(StatusCode::NOT_MODIFIED).into()
        } else {
            Response::new(self.content.into())
        };
        let answer = response.headers_mut();
        answer.insert(CONTENT_TYPE, HeaderValue::from_static(self.content_type()));
        // A new version of the service has new files under the same names.
        answer.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        if let Ok(tag) = HeaderValue::from_str(tag.as_str()) {
            answer.insert(ETAG, tag);
        }
        answer.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
        let policy = format!(
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'{sources}; \
             base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        );
        if let Ok(policy) = HeaderValue::from_str(&policy) {
            answer.insert(CONTENT_SECURITY_POLICY, policy);
        }
        response
    }
}

/// The files of a service: its own, and those that all services have.
pub(super) fn assets(own: &[Asset]) -> Vec<Asset> {
    own.iter().chain(SHARED).copied().collect()
}

/// The routes of these files, and of the services' addresses.
pub(super) fn routes(app: &Arc<App>, assets: &[Asset]) -> Vec<Route> {
    let get = |path, answer: &dyn Fn(BoxedFilter<(Request,)>) -> BoxedFilter<(Response,)>| {
        Route::new(path, "GET, HEAD", Upgrade::Refused, answer)
    };
    let peers = get("/assets/peers.json", &|requests| {
        let app = Arc::clone(app);
        let peers = move |request: Request| answer(Ok(json(StatusCode::OK, Peers::of(&app, &request.headers))));
        requests.map(peers).boxed()
    });
    let files = assets.iter().map(|&asset| {
        get(asset.path, &|requests| {
            let app = Arc::clone(app);
            requests.map(move |request: Request| file(asset, &app, &request.headers)).boxed()
        })
    });
    [peers].into_iter().chain(files).collect()
}

fn file(asset: Asset, app: &App, headers: &HeaderMap) -> Response {
    let sources = if asset.path == "/compare" { Peers::of(app, headers).sources() } else { own_socket(headers) };
    asset.response(headers, &sources)
}

/// Older browsers do not count a WebSocket of the page's own host as `'self'`.
fn own_socket(headers: &HeaderMap) -> String {
    host(headers).map(|host| format!(" ws://{host} wss://{host}")).unwrap_or_default()
}

/// The base URLs of the three services, as the browser reaches them.
#[derive(Debug, Serialize)]
struct Peers {
    ws: String,
    poll: String,
    sse: String,
}

impl Peers {
    fn of(app: &App, headers: &HeaderMap) -> Self {
        let config = &app.config.pages;
        // Those of a service that speaks TLS do too: a page of it may not connect in the clear.
        let scheme = if app.tls().is_some() { "https" } else { "http" };
        let host = host(headers).unwrap_or("localhost");
        let name = host.rfind(':').filter(|_| !host.ends_with(']')).map_or(host, |colon| &host[..colon]);
        let url =
            |peer: &Option<String>, port: u16| peer.clone().unwrap_or_else(|| format!("{scheme}://{name}:{port}"));
        Self { ws: url(&config.peer_ws, 8080), poll: url(&config.peer_poll, 3000), sse: url(&config.peer_sse, 3001) }
    }

    /// As sources of a policy (CSP level 3, section 2.3.1). The page publishes to ws-echo too, by HTTP.
    fn sources(&self) -> String {
        let socket = self.ws.replacen("http", "ws", 1);
        format!(" {} {socket} {} {}", self.ws, self.poll, self.sse)
    }
}

/// The host and port that the client asked for, if it could stand in a policy without changing it.
fn host(headers: &HeaderMap) -> Option<&str> {
    let host = headers.get(HOST)?.to_str().ok()?;
    let safe = |b: u8| b.is_ascii_alphanumeric() || b".-:[]_".contains(&b);
    (!host.is_empty() && host.bytes().all(safe)).then_some(host)
}
