//! Sends until it is confirmed.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use reqwest::header::CONTENT_TYPE;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::time::sleep;

use super::repeats::{Moment, Repeats};
use crate::connection::{ANSWER, Options, Retry, Service, Trouble};
use crate::exit::Outcome;
use crate::notice;

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
        let mut repeats = Repeats::new(self.retry_for);
        let mut patience = ANSWER;
        loop {
            let began = Moment::now();
            let trouble = match self.attempt(publication, key, &repeats, patience).await {
                Ok(confirmed) => return Ok(confirmed),
                Err(trouble) => trouble,
            };
            let Some(pause) = repeats.pause(&trouble, began) else {
                return Err(Unconfirmed { trouble, in_doubt: repeats.is_in_doubt() });
            };
            notice::trying_again(&format_args!("not confirmed yet: {trouble}"), pause);
            sleep(pause).await;
            // The machine may have slept meanwhile.
            let Some(left) = repeats.patience() else {
                return Err(Unconfirmed { trouble, in_doubt: repeats.is_in_doubt() });
            };
            patience = left;
        }
    }

    async fn attempt<T: DeserializeOwned>(
        &self,
        publication: &(impl Serialize + ?Sized),
        key: &str,
        repeats: &Repeats,
        patience: Duration,
    ) -> Result<T, Trouble> {
        let url = self.service.url("/messages", [("topic", self.topic.as_str())]);
        let body = serde_json::to_vec(publication).map_err(|error| self.service.strange(&error))?;
        let request = self.service.post(url).header(CONTENT_TYPE, "application/json").header("idempotency-key", key);
        let mut sent = pin!(self.service.json_within(patience, request.body(body)));
        // A timer does not go on while the machine sleeps, and a connection that opens after that would take the request.
        poll_fn(|context| match repeats.patience() {
            Some(_) => sent.as_mut().poll(context),
            None => Poll::Ready(Err(Trouble::Cut("no answer while the service knew the key".to_owned()))),
        })
        .await
    }
}
