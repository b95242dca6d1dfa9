//! Requests to a service.

use std::time::Duration;

use reqwest::{Client, RequestBuilder, Response, StatusCode, Url};
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use super::credential::Credential;
use super::trouble::{Trouble, chain};

/// The longest time for an answer.
pub(crate) const ANSWER: Duration = Duration::from_secs(30);

/// A service, or a proxy in front of several.
#[derive(Debug, Clone)]
pub(crate) struct Service {
    client: Client,
    base: Url,
    credential: Credential,
}

impl Service {
    pub(super) fn new(client: Client, base: Url, credential: Credential) -> Self {
        Self { client, base, credential }
    }

    /// Returns its URL, for people.
    pub(crate) fn name(&self) -> &str {
        self.base.as_str().trim_end_matches('/')
    }

    /// Returns the URL of a path with a query.
    pub(crate) fn url<'a>(&self, path: &str, query: impl IntoIterator<Item = (&'a str, &'a str)>) -> Url {
        let mut url = self.base.clone();
        url.set_path(&format!("{}{path}", self.base.path().trim_end_matches('/')));
        for (name, value) in query {
            url.query_pairs_mut().append_pair(name, value);
        }
        url
    }

    /// Returns the token as it is now. There was one at the start, so a file without one is being written.
    pub(crate) fn token(&self) -> Result<Option<String>, Trouble> {
        self.credential.token().map_err(Trouble::Unreachable)
    }

    /// Begins a GET request.
    pub(crate) fn get(&self, url: Url) -> RequestBuilder {
        self.client.get(url)
    }

    /// Begins a POST request.
    pub(crate) fn post(&self, url: Url) -> RequestBuilder {
        self.client.post(url)
    }

    /// Sends a request with the token, and returns an answer of success, or the upgrade.
    pub(crate) async fn send(&self, request: RequestBuilder) -> Result<Response, Trouble> {
        let request = match self.token()? {
            Some(token) => request.bearer_auth(token),
            None => request,
        };
        let response = request.send().await.map_err(|error| self.unreachable(&error))?;
        match response.status() {
            status if status.is_success() || status == StatusCode::SWITCHING_PROTOCOLS => Ok(response),
            _ => Err(Trouble::of(response).await),
        }
    }

    /// Sends a request, and reads the answer as JSON.
    pub(crate) async fn json<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T, Trouble> {
        let bytes = self.send(request).await?.bytes().await.map_err(|error| self.unreachable(&error))?;
        serde_json::from_slice(&bytes).map_err(|error| self.strange(&error))
    }

    /// Sends a request, and reads the answer as JSON, if all of it comes in time.
    pub(crate) async fn json_within<T: DeserializeOwned>(
        &self,
        patience: Duration,
        request: RequestBuilder,
    ) -> Result<T, Trouble> {
        self.in_time(patience, self.json(request)).await
    }

    /// Fails if something with the service takes longer.
    pub(crate) async fn in_time<T>(
        &self,
        patience: Duration,
        work: impl Future<Output = Result<T, Trouble>>,
    ) -> Result<T, Trouble> {
        let silent = |_| Trouble::Cut(format!("{} does not answer within {patience:.0?}", self.name()));
        timeout(patience, work).await.map_err(silent)?
    }

    /// Fails if no push service answers in time.
    pub(crate) async fn answers(&self, patience: Duration) -> Result<(), Trouble> {
        self.in_time(patience, self.send(self.get(self.url("/livez", [])))).await.map(drop)
    }

    /// An answer that no push service gives.
    pub(crate) fn strange(&self, error: &dyn std::error::Error) -> Trouble {
        Trouble::Cut(format!("{} answered what no push service answers: {}", self.name(), chain(error)))
    }

    /// A request that could not be sent, or an answer that did not come whole.
    pub(crate) fn unreachable(&self, error: &reqwest::Error) -> Trouble {
        // The error itself says no more than that a request failed, and that it could not connect, no more than this here.
        if error.is_connect() {
            return Trouble::Unreachable(format!("{} cannot be reached: {}", self.name(), root(error)));
        }
        let cause = std::error::Error::source(error).map_or_else(|| chain(error), chain);
        Trouble::Cut(format!("{}: the connection broke: {cause}", self.name()))
    }
}

/// Returns the first cause of an error.
fn root(error: &dyn std::error::Error) -> String {
    let mut root = error;
    while let Some(cause) = root.source() {
        root = cause;
    }
    root.to_string()
}
