//! Sends until it is confirmed.

use std::time::Duration;

use reqwest::StatusCode;
use reqwest::header::CONTENT_TYPE;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::time::{sleep, timeout};

use crate::connection::{Options, Retry, Service, Trouble};
use crate::exit::Outcome;
use crate::notice;

/// The longest time for an answer. Together with the longest time for repeats it is shorter than the two minutes for which a service
/// knows a key.
const ANSWER: Duration = Duration::from_secs(30);

/// Sends publications to one topic of one service.
#[derive(Debug)]
pub(super) struct Sender {
    service: Service,
    topic: String,
    retry_for: Duration,
}

/// A publication that was not confirmed.
#[derive(Debug)]
pub(super) struct Unconfirmed {
    pub(super) trouble: Trouble,
    /// An attempt may have been stored without an answer.
    pub(super) in_doubt: bool,
}

impl Sender {
    /// Chooses the service.
    pub(super) async fn new(options: &Options, topic: &str, retry_for: Duration) -> Outcome<Self> {
        let mut retry = Retry::new(Some(retry_for));
        loop {
            // Once something was sent, there is no other choice: another service may have another history.
            match options.any_service().await? {
                Ok(service) => return Ok(Self { service, topic: topic.to_owned(), retry_for }),
                Err(trouble) => {
                    let Some(pause) = retry.pause(None) else { return Err(trouble.into_exit()) };
                    notice::trying_again(&trouble, pause);
                    sleep(pause).await;
                }
            }
        }
    }

    /// Sends a publication until it is confirmed or refused, or for as long as it may be repeated.
    pub(super) async fn confirm<T: DeserializeOwned>(
        &self,
        publication: &(impl Serialize + ?Sized),
        key: &str,
    ) -> Result<T, Unconfirmed> {
        let mut retry = Retry::new(Some(self.retry_for));
        let mut in_doubt = false;
        loop {
            let trouble = match self.attempt(publication, key).await {
                Ok(confirmed) => return Ok(confirmed),
                Err(trouble) => trouble,
            };
            let pause = match (&trouble, trouble.retry_after()) {
                (Trouble::Refused { .. } | Trouble::End(_), _) => None,
                // Nothing was stored, and the service says when it will be: there is no need to give up.
                (Trouble::Busy { status: StatusCode::TOO_MANY_REQUESTS, .. }, Some(asked)) if !in_doubt => {
                    retry.reset();
                    Retry::new(None).pause(Some(asked))
                }
                (_, asked) => {
                    in_doubt |= trouble.may_have_been_done();
                    retry.pause(asked)
                }
            };
            let Some(pause) = pause else { return Err(Unconfirmed { trouble, in_doubt }) };
            notice::trying_again(&format_args!("not confirmed yet: {trouble}"), pause);
            sleep(pause).await;
        }
    }

    async fn attempt<T: DeserializeOwned>(
        &self,
        publication: &(impl Serialize + ?Sized),
        key: &str,
    ) -> Result<T, Trouble> {
        let url = self.service.url("/messages", [("topic", self.topic.as_str())]);
        let body = serde_json::to_vec(publication).map_err(|error| self.service.strange(&error))?;
        let request = self.service.post(url).header(CONTENT_TYPE, "application/json").header("idempotency-key", key);
        let sent = self.service.json(request.body(body));
        timeout(ANSWER, sent).await.map_err(|_| Trouble::Cut(format!("no answer within {ANSWER:?}")))?
    }
}
