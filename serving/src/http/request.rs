//! A request as handlers see it, and how a route is declared.

use std::borrow::Cow;
use std::future::{Future, ready};
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

use http::header::{CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING, UPGRADE};
use http::{HeaderMap, Method, Version};
use smallvec::SmallVec;
use warp::filters::BoxedFilter;
use warp::path::FullPath;
use warp::{Filter, Rejection};

use super::admission::{Room, SharedHeaders};
use super::error::ApiError;
use super::handover::{Answer, Ended, Responder, TakeOver};
use super::socket::Socket;
use crate::app::App;
use shared::cursor::Position;
use shared::duration::duration;
use shared::topic::{BadTopic, Topic, TopicFilter};

/// The most topics that a subscription may name.
const MAX_TOPICS: usize = 64;

/// Whether a route speaks WebSocket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Upgrade {
    /// It does not.
    Refused,
    /// It does nothing else.
    Required,
    /// This route is for requests that ask for it; others are for another route at the same path.
    Chosen,
}

/// A request without its body.
#[derive(Debug, Clone)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// The headers.
    pub headers: HeaderMap,
    /// The parameters.
    pub query: Query,
    context: Context,
}

/// What the connection adds to a request.
#[derive(Clone)]
pub(super) struct Context {
    pub(super) room: Room,
    pub(super) version: Version,
    pub(super) shared_headers: SharedHeaders,
}

/// A request that a route knows and does not answer.
#[derive(Debug)]
pub(crate) struct Refused(pub(crate) ApiError);

impl warp::reject::Reject for Refused {}

/// Declares a route: who asks for `path` with one of the methods in `allow` gets here as a [`Request`]; who asks for it
/// in another way is told how.
pub fn route(path: &'static str, allow: &'static str, upgrade: Upgrade) -> BoxedFilter<(Request,)> {
    let is_here =
        move |full: FullPath| ready(if full.as_str() == path { Ok(()) } else { Err(warp::reject::not_found()) });
    let check = move |method: Method, headers: HeaderMap| {
        let upgrades = is_websocket_upgrade(&headers);
        ready(if upgrade == Upgrade::Chosen && !upgrades {
            Err(warp::reject::not_found())
        } else if !allow.split(", ").any(|allowed| allowed == method.as_str()) {
            refuse(ApiError::MethodNotAllowed { allow })
        } else if upgrades && upgrade == Upgrade::Refused {
            refuse(ApiError::UnexpectedUpgrade)
        } else if !upgrades && upgrade == Upgrade::Required {
            refuse(ApiError::UpgradeRequired)
        } else {
            Ok((method, headers))
        })
    };
    let raw_query = warp::query::raw().or(warp::any().map(String::new)).unify();
    warp::path::full()
        .and_then(is_here)
        .untuple_one()
        .and(warp::method())
        .and(warp::header::headers_cloned())
        .and_then(check)
        .and(raw_query)
        .and(warp::ext::get::<Context>())
        .map(|(method, headers), query: String, context: Context| Request {
            method,
            headers,
            query: Query::new(query),
            context,
        })
        .boxed()
}

fn refuse<T>(error: ApiError) -> Result<T, Rejection> {
    Err(warp::reject::custom(Refused(error)))
}

/// Whether a request asks to become a WebSocket (RFC 6455, section 4.2.1). Other upgrades are ignored, as RFC 9110 allows.
pub(super) fn is_websocket_upgrade(headers: &HeaderMap) -> bool {
    has_token(headers, UPGRADE, "websocket")
}

fn has_token(headers: &HeaderMap, name: http::HeaderName, token: &str) -> bool {
    let mut values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values.any(|value| value.split(',').any(|part| part.trim().eq_ignore_ascii_case(token)))
}

impl Request {
    pub(super) fn new(method: Method, headers: HeaderMap, query: Query, context: Context) -> Self {
        Self { method, headers, query, context }
    }

    /// HTTP/1.1 or HTTP/1.0.
    pub fn version(&self) -> Version {
        self.context.version
    }

    /// A header's value, if it is there and text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The service is full, and this request got in only to be told so.
    pub fn finds_no_room(&self) -> bool {
        self.context.room == Room::None
    }

    /// Writes the head of this request's answer after [`Request::hand_over`].
    pub fn responder(&self) -> Responder {
        let version = self.version();
        let keep_alive = match version {
            Version::HTTP_10 => has_token(&self.headers, CONNECTION, "keep-alive"),
            _ => !has_token(&self.headers, CONNECTION, "close"),
        };
        Responder::new(keep_alive, version, self.context.shared_headers.clone())
    }

    /// Whether a body follows, which would be taken for the next request where the connection is handed over.
    pub(super) fn has_body(&self) -> bool {
        let length = self.headers.get(CONTENT_LENGTH).map(|length| length.as_bytes());
        self.headers.contains_key(TRANSFER_ENCODING) || length.is_some_and(|length| length != b"0")
    }

    /// Hands the connection to a session, which answers the request by writing to the socket.
    ///
    /// # Errors
    /// When the connection cannot be handed over.
    pub fn hand_over<F, Fut>(&self, app: &App, session: F) -> Result<Answer, ApiError>
    where
        F: FnOnce(Socket) -> Fut + Send + 'static,
        Fut: Future<Output = Ended> + Send + 'static,
    {
        if app.drain.is_draining() {
            return Err(ApiError::Draining);
        }
        Ok(Answer::Session(TakeOver::new(session)))
    }
}

/// The parameters of a request.
#[derive(Debug, Clone, Default)]
pub struct Query {
    text: String,
    pairs: SmallVec<[Pair; 4]>,
}

/// Where a parameter is in the text.
#[derive(Debug, Clone, Copy, Default)]
struct Pair {
    start: usize,
    /// The sign between name and value, if there is one.
    equals: Option<usize>,
    end: usize,
    /// It is not written as it is meant.
    encoded: bool,
}

impl Query {
    pub(super) fn new(text: String) -> Self {
        let mut pairs = SmallVec::new();
        let mut pair = Pair::default();
        for (at, byte) in text.bytes().enumerate() {
            match byte {
                b'&' => {
                    pairs.push(Pair { end: at, ..pair });
                    pair = Pair { start: at + 1, ..Pair::default() };
                }
                b'=' if pair.equals.is_none() => pair.equals = Some(at),
                b'%' | b'+' => pair.encoded = true,
                _ => {}
            }
        }
        pairs.push(Pair { end: text.len(), ..pair });
        Self { text, pairs }
    }

    /// The first value of a parameter.
    pub fn get(&self, name: &str) -> Option<Cow<'_, str>> {
        self.values(name).next()
    }

    fn values(&self, name: &str) -> impl Iterator<Item = Cow<'_, str>> {
        self.pairs.iter().filter_map(move |pair| {
            if pair.encoded {
                let (key, value) = form_urlencoded::parse(&self.text.as_bytes()[pair.start..pair.end]).next()?;
                return (key == name).then_some(value);
            }
            let key_end = pair.equals.unwrap_or(pair.end);
            let value = pair.equals.map_or("", |equals| &self.text[equals + 1..pair.end]);
            (&self.text[pair.start..key_end] == name).then_some(Cow::Borrowed(value))
        })
    }

    /// What `topic` names: up to 64 topics or patterns, `main` if none is named.
    pub fn topics(&self) -> Result<Vec<TopicFilter>, ApiError> {
        let mut topics: Vec<TopicFilter> = Vec::new();
        for value in self.values("topic") {
            let topic = value.parse()?;
            if topics.contains(&topic) {
                continue;
            }
            if topics.len() == MAX_TOPICS {
                let reason = format!("name at most {MAX_TOPICS}, or use a wildcard");
                return Err(ApiError::BadParameter { parameter: "topic", reason });
            }
            topics.push(topic);
        }
        Ok(if topics.is_empty() { vec![Topic::default().into()] } else { topics })
    }

    /// The one topic that `topic` names, `main` if none is.
    pub fn one_topic(&self) -> Result<Topic, ApiError> {
        match self.topics()?.as_slice() {
            [TopicFilter::Exact(topic)] => Ok(topic.clone()),
            [TopicFilter::Pattern(_)] => Err(BadTopic::Wildcard.into()),
            _ => Err(ApiError::BadParameter { parameter: "topic", reason: "name one topic here".to_owned() }),
        }
    }

    /// Where `since` says to begin.
    pub fn since(&self) -> Result<Option<Position>, ApiError> {
        Ok(self.get("since").map(|since| since.parse()).transpose()?)
    }

    /// A number within a range.
    pub fn number(&self, name: &'static str, range: RangeInclusive<usize>) -> Result<Option<usize>, ApiError> {
        let Some(text) = self.get(name) else { return Ok(None) };
        usize::from_str(&text).ok().filter(|number| range.contains(number)).map(Some).ok_or_else(|| {
            let reason = format!("write a number from {} to {}", range.start(), range.end());
            ApiError::BadParameter { parameter: name, reason }
        })
    }

    /// A time in seconds, or with a unit, of at most `most`.
    pub fn seconds(&self, name: &'static str, most: Duration) -> Result<Option<Duration>, ApiError> {
        let Some(text) = self.get(name) else { return Ok(None) };
        let parsed = match text.parse() {
            Ok(seconds) => Duration::try_from_secs_f64(seconds).ok(),
            Err(_) => duration(&text).ok(),
        };
        parsed.filter(|time| *time <= most).map(Some).ok_or_else(|| {
            let reason = format!("write seconds from 0 to {}", most.as_secs());
            ApiError::BadParameter { parameter: name, reason }
        })
    }
}

impl std::fmt::Debug for Context {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Context").field("room", &self.room).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_read_as_forms_are() {
        for text in
            ["", "a", "a=", "=a", "a=b", "a=b=c", "a=1&a=2", "&&a=1&", "a%3D=%26&b=x+y", "a=%C3%A4&a=\u{e4}", "a&a=1"]
        {
            let query = Query::new(text.to_owned());
            for name in ["a", "b", "a=", ""] {
                let expected =
                    form_urlencoded::parse(text.as_bytes()).filter(|(key, _)| key == name && !text.is_empty());
                let expected: Vec<_> = expected.map(|(_, value)| value).collect();
                let given: Vec<_> = query.values(name).filter(|value| !(name.is_empty() && value.is_empty())).collect();
                assert_eq!(given, expected, "{name:?} in {text:?}");
            }
        }
    }
}
