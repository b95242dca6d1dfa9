//! The places of a request that tokens and tickets are taken from.

use std::borrow::Cow;

use http::header::{AUTHORIZATION, COOKIE, SEC_WEBSOCKET_PROTOCOL};
use http::{HeaderMap, HeaderValue};

use super::bad_token::BadToken;
use crate::headers::{is_websocket_upgrade, members};

/// The beginning of a WebSocket subprotocol that is a token. No page can give a WebSocket another header.
const SUBPROTOCOL: &str = "push.token.";

/// The cookie that has a token.
const COOKIE_NAME: &str = "push_token";

/// A token or a ticket, as a request has it.
#[derive(Debug)]
pub(crate) enum Credential<'a> {
    Token(&'a str),
    Ticket(Cow<'a, str>),
}

/// Returns the first that is found: the header, the subprotocol, the ticket of the query, the cookie. Browsers send a cookie whoever
/// has asked them to, so it counts only with `trusts_cookie`.
pub(super) fn find<'a>(
    headers: &'a HeaderMap,
    ticket: Option<Cow<'a, str>>,
    trusts_cookie: bool,
) -> Result<Option<Credential<'a>>, BadToken> {
    if let Some(token) = bearer(headers)? {
        return Ok(Some(Credential::Token(token)));
    }
    if let Some(token) = subprotocol(headers) {
        return Ok(Some(Credential::Token(token)));
    }
    if let Some(ticket) = ticket {
        return Ok(Some(Credential::Ticket(ticket)));
    }
    let cookie = if trusts_cookie { cookie(headers)? } else { None };
    Ok(cookie.map(Credential::Token))
}

/// The token of `Authorization: Bearer` (RFC 6750, section 2.1). Another scheme is for a proxy in front.
fn bearer(headers: &HeaderMap) -> Result<Option<&str>, BadToken> {
    let mut lines = headers.get_all(AUTHORIZATION).iter();
    let Some(line) = lines.next() else { return Ok(None) };
    if lines.next().is_some() {
        return Err(BadToken::Several("Authorization headers"));
    }
    let Some((scheme, token)) = line.to_str().ok().and_then(|line| line.split_once(' ')) else { return Ok(None) };
    Ok(scheme.eq_ignore_ascii_case("bearer").then(|| token.trim_matches(' ')))
}

fn subprotocol(headers: &HeaderMap) -> Option<&str> {
    if !is_websocket_upgrade(headers) {
        return None;
    }
    members(headers, SEC_WEBSOCKET_PROTOCOL).find_map(|name| name.strip_prefix(SUBPROTOCOL))
}

/// The token of the cookie (RFC 6265, section 4.2.1). With two of them, that of a sibling domain may be one.
fn cookie(headers: &HeaderMap) -> Result<Option<&str>, BadToken> {
    let lines = headers.get_all(COOKIE).into_iter().map(HeaderValue::to_str).filter_map(Result::ok);
    let pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.split_once('='));
    let mut tokens = pairs.filter(|(name, _)| name.trim() == COOKIE_NAME).map(|(_, value)| value.trim());
    let first = tokens.next();
    if tokens.next().is_some() {
        return Err(BadToken::Several("cookies push_token"));
    }
    Ok(first.filter(|token| !token.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(lines: &[(&'static str, &'static str)], ticket: Option<&str>, trusts_cookie: bool) -> String {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, HeaderValue::from_static(value));
        }
        match find(&headers, ticket.map(Cow::Borrowed), trusts_cookie) {
            Ok(Some(Credential::Token(token))) => format!("token {token}"),
            Ok(Some(Credential::Ticket(ticket))) => format!("ticket {ticket}"),
            Ok(None) => "nothing".to_owned(),
            Err(error) => error.to_string(),
        }
    }

    const UPGRADE: (&str, &str) = ("upgrade", "websocket");
    const SUBPROTOCOLS: (&str, &str) = ("sec-websocket-protocol", "push, push.token.b");
    const COOKIES: (&str, &str) = ("cookie", "x=1; push_token=c; y=2");

    #[test]
    fn the_first_place_counts() {
        let header = ("authorization", "Bearer a");
        assert_eq!(found(&[header, UPGRADE, SUBPROTOCOLS, COOKIES], Some("t"), true), "token a");
        assert_eq!(found(&[UPGRADE, SUBPROTOCOLS, COOKIES], Some("t"), true), "token b");
        assert_eq!(found(&[SUBPROTOCOLS, COOKIES], Some("t"), true), "ticket t", "no WebSocket");
        assert_eq!(found(&[COOKIES], None, true), "token c");
        assert_eq!(found(&[COOKIES], None, false), "nothing");
        assert_eq!(found(&[], None, true), "nothing");
    }

    #[test]
    fn the_header_is_of_the_scheme_bearer() {
        assert_eq!(found(&[("authorization", "bEARER  a ")], None, false), "token a");
        assert_eq!(found(&[("authorization", "Bearer ")], None, false), "token ", "no good one, and no other counts");
        assert_eq!(found(&[("authorization", "Basic dTpw")], Some("t"), false), "ticket t");
        let two = [("authorization", "Bearer a"), ("authorization", "Bearer a")];
        assert_eq!(found(&two, None, false), "there are several Authorization headers");
    }

    #[test]
    fn two_cookies_of_the_name_are_none() {
        assert_eq!(found(&[("cookie", "push_token=a"), COOKIES], None, true), "there are several cookies push_token");
        assert_eq!(found(&[("cookie", "push_token=; push_token2=a; xpush_token=b")], None, true), "nothing");
    }
}
