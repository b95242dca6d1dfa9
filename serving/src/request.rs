//! A request as handlers see it.

use http::header::{CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderName, Method, Version};

use crate::access::{Access, Asked, Shut, Ticket, denial};
use crate::admission::Stay;
use crate::app::App;
use crate::client_address::ClientAddress;
use crate::connection::{Answer, Brought, Framing, Held, Session};
use crate::cors::OpenTo;
use crate::error::ApiError;
use crate::headers::has_token;
use crate::query::{Query, TICKET};
use crate::refusal::Refusal;
use shared::traceparent::Traceparent;

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

/// The facts that the connection and admission add to a request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Context {
    pub(crate) version: Version,
    pub(crate) open_to: OpenTo,
    pub(crate) stay: Stay,
    /// The client's address. `None` for a client in memory.
    pub(crate) client: Option<ClientAddress>,
}

impl Request {
    pub(crate) fn new(method: Method, headers: HeaderMap, query: Query, context: Context) -> Self {
        Self { method, headers, query, context }
    }

    /// HTTP/1.1 or HTTP/1.0.
    pub fn version(&self) -> Version {
        self.context.version
    }

    /// The address of the client, by which its publications are counted. `None` for a client in memory.
    pub fn client(&self) -> Option<ClientAddress> {
        self.context.client
    }

    /// Finds out what the client may do.
    ///
    /// # Errors
    /// [`ApiError::Unauthorized`] when its token or ticket is not good, and [`ApiError::NotReady`] while nobody can know.
    pub async fn access(&self, app: &App) -> Result<Access, ApiError> {
        let Some(gate) = app.gate() else { return Ok(Access::EVERYTHING) };
        gate.admit(self.asked(app)).await.map_err(|shut| self.shut(shut))
    }

    /// Makes a ticket with the rights of the client's token.
    pub(crate) async fn ticket(&self, app: &App) -> Result<Ticket, ApiError> {
        let gate = app.gate().ok_or(ApiError::NoTickets)?;
        let ticket = gate.ticket(self.asked(app)).await.map_err(|shut| self.shut(shut))?;
        ticket.ok_or(ApiError::Unauthorized)
    }

    fn asked<'a>(&'a self, app: &App) -> Asked<'a> {
        let headers = &self.headers;
        let origins = app.admission.origins();
        let (trusts_cookie, is_own) = (origins.trusts_cookie(headers), origins.is_of_own_page(headers));
        let ticket = self.query.get(TICKET);
        Asked { headers, ticket, trusts_cookie, is_own, client: self.client() }
    }

    /// Logs the reason why the client is not let in, which its answer does not say.
    fn shut(&self, shut: Shut) -> ApiError {
        denial::log(&shut, self.client());
        Refusal::from(shut).into()
    }

    /// Returns a header's value, if the header is there and its value is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The operation that the request is part of. A `traceparent` that is not valid counts as none, as does a second one (W3C Trace
    /// Context, section 4.3).
    pub fn traceparent(&self) -> Option<Traceparent> {
        let mut values = self.headers.get_all("traceparent").iter();
        let value = values.next().filter(|_| values.next().is_none())?;
        value.to_str().ok()?.parse().ok()
    }

    /// Returns whether a header, which is a list of tokens (RFC 9110, section 5.6.1), has a token, in any case and on any of
    /// its lines.
    pub fn has_token(&self, name: HeaderName, token: &str) -> bool {
        has_token(&self.headers, name, token)
    }

    /// Returns whether the answer is a head alone: it is not held, and its body is not sent.
    pub fn is_head(&self) -> bool {
        self.method == Method::HEAD
    }

    /// Returns whether the service is full. A WebSocket is closed after its handshake then; other requests do not reach
    /// a method's route.
    pub fn finds_no_room(&self) -> bool {
        self.context.stay == Stay::Full
    }

    /// Hands the connection to a session, which answers the request by writing to the client, and hears when the client's rights
    /// end.
    ///
    /// # Errors
    /// When the service is shutting down.
    pub fn hold(&self, access: &Access, session: impl Session + 'static) -> Result<Answer, ApiError> {
        match self.context.stay {
            Stay::Draining => Err(ApiError::Draining),
            Stay::Welcome | Stay::Full => {
                let subject = access.subject().cloned();
                let brought = Brought::new(self.client(), subject, access.expires_at(), self.traceparent());
                Ok(Answer::Held(Held { session: Box::new(session), brought }))
            }
        }
    }

    /// The way in which the answer is written.
    pub(crate) fn framing(&self) -> Framing {
        let version = self.version();
        let says = |option| has_token(&self.headers, CONNECTION, option);
        let keep_alive = !says("close") && (version != Version::HTTP_10 || says("keep-alive"));
        Framing { keep_alive, version, open_to: self.context.open_to }
    }

    /// Returns whether a body follows. After a handover, its bytes would be read as the next request.
    pub(crate) fn has_body(&self) -> bool {
        let length = self.headers.get(CONTENT_LENGTH).map(|length| length.as_bytes());
        self.headers.contains_key(TRANSFER_ENCODING) || length.is_some_and(|length| length != b"0")
    }
}
