//! An endpoint, and the requests that are sent to it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use bytes::Bytes;
use http_body_util::Full;
use hyper::Request;
use hyper::header::{AUTHORIZATION, IF_MODIFIED_SINCE, IF_NONE_MATCH};

use super::notes::Notes;
use crate::cuts::issuer::Issuer;
use crate::target::{Form, Method, Resume, Route};

/// An endpoint at which a client follows its topic by one method.
#[derive(Debug)]
pub(crate) struct Endpoint {
    pub(crate) method: Method,
    pub(crate) route: Route,
    pub(crate) address: SocketAddr,
    /// The value for `{topic}`.
    pub(crate) topic: String,
    /// The time for which a poll asks to be held.
    pub(crate) wait: Duration,
    /// The time without a byte after which a connection is dead.
    pub(crate) idle: Duration,
    /// Signs a token for each request. Absent where the server is open.
    pub(crate) issuer: Option<Arc<Issuer>>,
}

impl Endpoint {
    /// The path, with the cursor in its query if it belongs there.
    pub(super) fn path(&self, notes: &Notes) -> String {
        // The first poll asks for a position only, and is answered at once: if it were cut while it is held, there would be no
        // position to resume from.
        let placed = notes.cursor.is_some() || self.route.form != Form::Push;
        let wait = if placed { self.wait.as_secs() } else { 0 };
        let mut path = self.route.path.replace("{topic}", &self.topic).replace("{wait}", &wait.to_string());
        if let (Resume::Query(name), Some(cursor)) =
            (&self.route.resume, notes.cursor.as_ref().or(self.route.first.as_ref()))
        {
            path.push(if path.contains('?') { '&' } else { '?' });
            path.push_str(&format!("{name}={cursor}"));
        }
        path
    }

    /// A new token, where the server asks for one. The client may receive messages as long as it lasts.
    pub(super) fn token(&self, notes: &mut Notes) -> Option<String> {
        let issuer = self.issuer.as_ref()?;
        notes.allowed_for(issuer.life);
        Some(issuer.subscriber())
    }

    /// A request, with the cursor in the query or in a header.
    pub(super) fn request(&self, notes: &mut Notes) -> anyhow::Result<Request<Full<Bytes>>> {
        let mut request = Request::get(self.path(notes));
        match (&self.route.resume, &notes.cursor, &notes.validators) {
            (Resume::LastEventId, Some(cursor), _) => request = request.header("last-event-id", cursor),
            (Resume::Validators, _, Some((modified, etag))) => {
                request = request.header(IF_MODIFIED_SINCE, modified).header(IF_NONE_MATCH, etag);
            }
            _ => {}
        }
        if let Some(token) = self.token(notes) {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        request.body(Full::default()).context("the path of the description")
    }
}
