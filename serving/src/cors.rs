//! The origins whose pages may use the service (WHATWG Fetch, section 3.3: CORS).

use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS,
    ACCESS_CONTROL_REQUEST_METHOD, HOST, ORIGIN, VARY, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};

use crate::headers::{is_token, members};
use crate::reply::Reply;

/// The headers that a page of another origin may send, whether it asks for them or not.
const ALLOWED_HEADERS: [&str; 5] = ["authorization", "content-type", "idempotency-key", "last-event-id", "traceparent"];

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// The origins that `--allow-origin` names.
#[derive(Debug)]
pub(crate) struct Origins {
    any: bool,
    listed: Vec<HeaderValue>,
    /// The service itself speaks TLS.
    over_tls: bool,
}

/// The origin that an answer is open to. It is kept by every waiting client, so it is a number and not the header's value,
/// which would keep the whole head of the request in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum OpenTo {
    /// There was no request, so the answer depends on no origin.
    #[default]
    NoRequest,
    /// The request named no origin, or the service's own, whose pages need no permission.
    Nobody,
    /// Every origin may read the answer.
    Anyone,
    /// The origin with this index in the list may read it.
    Listed(u16),
}

impl Origins {
    pub(crate) fn new(origins: &[String], over_tls: bool) -> Self {
        Self {
            any: origins.iter().any(|origin| origin == "*"),
            listed: origins
                .iter()
                .filter(|origin| *origin != "*")
                .filter_map(|origin| HeaderValue::from_str(origin).ok())
                .collect(),
            over_tls,
        }
    }

    /// Returns the origin that the answer is open to, or `None` if the request comes from one that is not allowed.
    pub(crate) fn admit(&self, headers: &HeaderMap) -> Option<OpenTo> {
        let Some(origin) = headers.get(ORIGIN) else { return Some(OpenTo::Nobody) };
        if let Some(index) = self.listed.iter().position(|listed| listed == origin) {
            return u16::try_from(index).ok().map(OpenTo::Listed);
        }
        if self.any {
            return Some(OpenTo::Anyone);
        }
        self.is_own(origin, headers).then_some(OpenTo::Nobody)
    }

    /// Returns whether a cookie of the request counts: it was sent for a page of the service itself, or of an origin that
    /// `--allow-origin` names, or for no page. `*` names none, since any page could act for its user then.
    pub(crate) fn trusts_cookie(&self, headers: &HeaderMap) -> bool {
        match headers.get(ORIGIN) {
            Some(origin) => self.is_own(origin, headers) || self.listed.contains(origin),
            // Images and links of other pages come without an origin, and browsers say so in another way (W3C Fetch Metadata).
            None => headers.get(SEC_FETCH_SITE).is_none_or(|site| site == "same-origin" || site == "none"),
        }
    }

    /// Returns whether a request comes from a page of the service itself.
    pub(crate) fn is_of_own_page(&self, headers: &HeaderMap) -> bool {
        headers.get(ORIGIN).is_some_and(|origin| self.is_own(origin, headers))
    }

    /// Returns whether an origin is the service's own: its host and port are those that the request was sent to. A service in the clear
    /// may have a proxy in front that speaks TLS, so both schemes count there. One that speaks TLS has no pages in the clear: whoever is on
    /// the way could make one up.
    fn is_own(&self, origin: &HeaderValue, headers: &HeaderMap) -> bool {
        let origin = origin.to_str().ok().and_then(|origin| origin.split_once("://"));
        let host = headers.get(HOST).and_then(|host| host.to_str().ok());
        let (Some((scheme, authority)), Some(host)) = (origin, host) else { return false };
        let port = match scheme {
            "http" if !self.over_tls => ":80",
            "https" => ":443",
            _ => return false,
        };
        // A browser leaves out the usual port, and a proxy may add it.
        let without_port = |text: &str| text.strip_suffix(port).unwrap_or(text).to_ascii_lowercase();
        !authority.is_empty() && without_port(authority) == without_port(host)
    }

    /// Gives `put` each of the headers that every answer carries.
    pub(crate) fn each_header(&self, open_to: OpenTo, mut put: impl FnMut(HeaderName, HeaderValue)) {
        put(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        if !(self.any && self.listed.is_empty()) && open_to != OpenTo::NoRequest {
            // Also where the request has no origin, so that no cache gives this answer to another one.
            put(VARY, HeaderValue::from_static("origin"));
        }
        let allowed = match open_to {
            OpenTo::NoRequest | OpenTo::Nobody => return,
            OpenTo::Anyone => HeaderValue::from_static("*"),
            OpenTo::Listed(index) => self.listed[usize::from(index)].clone(),
        };
        put(ACCESS_CONTROL_ALLOW_ORIGIN, allowed);
        if open_to == OpenTo::Anyone {
            put(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("*"));
        } else {
            // With cookies. `*` is no wildcard then.
            put(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
            put(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("retry-after, www-authenticate"));
        }
    }
}

/// Returns the answer to a browser that asks whether a page may send its request (WHATWG Fetch, section 3.3.3).
pub(crate) fn preflight(method: &Method, headers: &HeaderMap) -> Option<Reply> {
    let asks = *method == Method::OPTIONS && headers.contains_key(ORIGIN);
    (asks && headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD)).then(|| {
        Reply::empty(StatusCode::NO_CONTENT)
            .with(ACCESS_CONTROL_ALLOW_METHODS, "GET, HEAD, POST")
            .with_value(ACCESS_CONTROL_ALLOW_HEADERS, allowed_headers(headers))
            .with(ACCESS_CONTROL_MAX_AGE, "600")
    })
}

/// Returns the headers that the request of a page may have: those that it asks for, as far as they are names of headers, since no
/// header makes this service do what the origin may not.
fn allowed_headers(headers: &HeaderMap) -> HeaderValue {
    let mut allowed = ALLOWED_HEADERS.join(", ");
    let asked = members(headers, ACCESS_CONTROL_REQUEST_HEADERS).filter(|name| is_token(name));
    for name in asked.filter(|name| !ALLOWED_HEADERS.iter().any(|allowed| allowed.eq_ignore_ascii_case(name))) {
        allowed.push_str(", ");
        allowed.push_str(name);
    }
    HeaderValue::from_str(&allowed).unwrap_or(HeaderValue::from_static("*"))
}
