//! Tickets: for a short time and one origin, a ticket stands for a token, in a URL. A browser's `EventSource` can send nothing else.
//!
//! A ticket is its content as JSON, and the HMAC of it, each in base64. The content is what the token allows, so every replica that
//! has the secret takes it.

use std::collections::BTreeSet;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::HeaderValue;
use ring::hmac;
use serde::{Deserialize, Serialize};

use super::bad_token::BadToken;
use super::claims::{Claims, Demands};
use super::secret::Secret;

/// Seconds for which a ticket is good.
const LIFE: f64 = 30.0;

/// Sets apart the keys of tickets from all others that the same secret may have.
const LABEL: &str = "push ticket, version 2";

/// The key of tickets.
#[derive(Clone)]
pub(super) struct TicketKey(hmac::Key);

/// A ticket, and the time at which it ends, in seconds since the Unix epoch.
#[derive(Debug)]
pub(crate) struct Ticket {
    pub(crate) text: String,
    pub(crate) expires: f64,
}

/// The origin of a page that asks for a ticket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Asking<'a> {
    /// As the request has it.
    pub(super) origin: Option<&'a HeaderValue>,
    /// It is the service's own. Its pages send no origin when they open a stream.
    pub(super) is_own: bool,
}

#[derive(Debug, Serialize, Deserialize)]
struct Content {
    claims: Claims,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    origin: Option<String>,
    own: bool,
    /// Seconds since the Unix epoch.
    until: f64,
}

impl TicketKey {
    /// The key that is made of a secret and of what is demanded of tokens: a service whose demands are others refuses the token, and so
    /// its ticket.
    pub(super) fn of(secret: &Secret, Demands { issuers, audiences, allows_eternal }: &Demands) -> Self {
        let sorted = |names: &[String]| names.iter().cloned().collect::<BTreeSet<_>>();
        let made_of = serde_json::to_vec(&(LABEL, sorted(issuers), sorted(audiences), allows_eternal));
        let made_of = made_of.expect("texts and a truth value have a form in JSON");
        let root = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
        Self(hmac::Key::new(hmac::HMAC_SHA256, hmac::sign(&root, &made_of).as_ref()))
    }

    /// Makes a ticket with the rights of a token, at a time in seconds since the Unix epoch.
    pub(super) fn make(&self, claims: &Claims, asking: Asking<'_>, now: f64) -> Ticket {
        let until = claims.expires.map_or(now + LIFE, |expires| expires.min(now + LIFE));
        let origin = asking.origin.map(|origin| String::from_utf8_lossy(origin.as_bytes()).into_owned());
        let content = Content { claims: claims.clone(), origin, own: asking.is_own, until };
        let content = serde_json::to_vec(&content).expect("a struct of strings and numbers has a form in JSON");
        let content = URL_SAFE_NO_PAD.encode(content);
        let tag = URL_SAFE_NO_PAD.encode(hmac::sign(&self.0, content.as_bytes()));
        Ticket { text: format!("{content}.{tag}"), expires: until }
    }

    /// Returns what the token of a ticket allows, for a request of an origin at a time; `None` if the ticket was made with another key.
    fn open(&self, ticket: &str) -> Option<Content> {
        let (content, tag) = ticket.split_once('.')?;
        let tag = URL_SAFE_NO_PAD.decode(tag).ok()?;
        hmac::verify(&self.0, content.as_bytes(), &tag).ok()?;
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(content).ok()?).ok()
    }
}

/// Returns the claims of a ticket that was made with one of the keys, for a request of an origin at a time.
pub(super) fn redeem(
    keys: &[TicketKey],
    ticket: &str,
    origin: Option<&HeaderValue>,
    now: f64,
) -> Result<Claims, BadToken> {
    let content = keys.iter().find_map(|key| key.open(ticket)).ok_or(BadToken::NoTicket)?;
    if content.until <= now {
        return Err(BadToken::TicketOver);
    }
    let is_same = content.origin.as_ref().map(String::as_bytes) == origin.map(HeaderValue::as_bytes);
    let is_of_own_page = content.own && origin.is_none();
    if is_same || is_of_own_page { Ok(content.claims) } else { Err(BadToken::TicketOrigin) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: f64 = 1_000.0;
    const PAGE: HeaderValue = HeaderValue::from_static("https://page.example");
    const OTHER: HeaderValue = HeaderValue::from_static("https://other.example");

    fn claims(expires: Option<f64>) -> Claims {
        Claims {
            subject: Some("s".into()),
            issuer: Some("i".into()),
            expires,
            publish: vec![],
            subscribe: vec!["a.>".parse().unwrap()],
        }
    }

    fn key(name: &str) -> TicketKey {
        TicketKey::of(&name.repeat(32).parse().unwrap(), &Demands::default())
    }

    #[test]
    fn a_ticket_is_for_services_that_demand_the_same_of_tokens() {
        let secret = "s".repeat(32).parse().unwrap();
        let of = |issuers: &[&str], audiences: &[&str], allows_eternal| {
            let [issuers, audiences] =
                [issuers, audiences].map(|names| names.iter().map(|&name| name.to_owned()).collect());
            TicketKey::of(&secret, &Demands { issuers, audiences, allows_eternal })
        };
        let asking = Asking { origin: None, is_own: false };
        let ticket = of(&["a", "b"], &["chat"], false).make(&claims(None), asking, NOW);
        assert!(redeem(&[of(&["b", "a"], &["chat"], false)], &ticket.text, None, NOW).is_ok());
        for other in [
            of(&["a"], &["chat"], false),
            of(&["a", "b"], &["admin"], false),
            of(&["a", "b"], &["chat"], true),
            of(&["a"], &["b", "chat"], false),
        ] {
            assert_eq!(redeem(&[other], &ticket.text, None, NOW), Err(BadToken::NoTicket));
        }
    }

    fn redeemed(ticket: &Ticket, origin: Option<&HeaderValue>, now: f64) -> Result<Claims, BadToken> {
        redeem(&[key("new"), key("old")], &ticket.text, origin, now)
    }

    #[test]
    fn a_ticket_is_good_for_30_seconds_and_no_longer_than_its_token() {
        let asking = Asking { origin: Some(&PAGE), is_own: false };
        let ticket = key("old").make(&claims(Some(NOW + 60.0)), asking, NOW);
        assert_eq!(redeemed(&ticket, Some(&PAGE), NOW + 29.9), Ok(claims(Some(NOW + 60.0))));
        assert_eq!(redeemed(&ticket, Some(&PAGE), NOW + 30.0), Err(BadToken::TicketOver));
        let ticket = key("old").make(&claims(Some(NOW + 10.0)), asking, NOW);
        assert_eq!(
            (ticket.expires, redeemed(&ticket, Some(&PAGE), NOW + 10.0)),
            (NOW + 10.0, Err(BadToken::TicketOver))
        );
    }

    #[test]
    fn a_ticket_is_for_the_origin_that_asked() {
        let [page, own, nobody] = [(Some(&PAGE), false), (Some(&PAGE), true), (None, false)]
            .map(|(origin, is_own)| key("new").make(&claims(None), Asking { origin, is_own }, NOW));
        for (ticket, of_page, of_other, of_nobody) in
            [(&page, true, false, false), (&own, true, false, true), (&nobody, false, false, true)]
        {
            for (origin, is_good) in [(Some(&PAGE), of_page), (Some(&OTHER), of_other), (None, of_nobody)] {
                let expected = if is_good { Ok(claims(None)) } else { Err(BadToken::TicketOrigin) };
                assert_eq!(redeemed(ticket, origin, NOW), expected, "{ticket:?} of {origin:?}");
            }
        }
    }

    #[test]
    fn a_ticket_of_another_secret_or_changed_is_none() {
        let asking = Asking { origin: None, is_own: false };
        let ticket = key("third").make(&claims(None), asking, NOW);
        assert_eq!(redeemed(&ticket, None, NOW), Err(BadToken::NoTicket));
        let good = key("new").make(&claims(None), asking, NOW).text;
        let (content, tag) = good.split_once('.').unwrap();
        let longer = String::from_utf8(URL_SAFE_NO_PAD.decode(content).unwrap()).unwrap().replace("1030", "9030");
        for text in
            ["", ".", "a.b.c", content, &format!("{}.{tag}", URL_SAFE_NO_PAD.encode(longer)), &format!("{good}x")]
        {
            let ticket = Ticket { text: text.to_owned(), expires: 0.0 };
            assert_eq!(redeemed(&ticket, None, NOW), Err(BadToken::NoTicket), "{text}");
        }
    }
}
