//! A service that is looked at.

use std::time::Duration;

use serde::Deserialize;
use tokio::time::{Instant, timeout};

use super::figures::{Figures, SlowReader};
use super::samples::Samples;
use crate::connection::{Service, Trouble};

/// The longest time for an answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// The slowest readers that are shown.
const SLOWEST: usize = 5;

/// A service, and the samples of the refresh before.
#[derive(Debug)]
pub(super) struct Target {
    service: Service,
    before: Option<(Samples, Instant)>,
    /// It has been found that there is no `/debug.json`. It is not asked for again: the answers would count among those that were refused.
    has_no_debug: bool,
}

#[derive(Debug, Deserialize)]
struct Debug {
    clients: Clients,
}

#[derive(Debug, Deserialize)]
struct Clients {
    slowest: Vec<SlowReader>,
}

impl Target {
    pub(super) fn new(service: Service) -> Self {
        Self { service, before: None, has_no_debug: false }
    }

    /// Asks for the figures of now.
    pub(super) async fn look(&mut self) -> Figures {
        let url = self.service.name().to_owned();
        let asked = async {
            let slowest = self.slowest().await;
            Ok((self.samples().await?, slowest))
        };
        let answered: Result<Result<_, Trouble>, _> = timeout(PATIENCE, asked).await;
        let (samples, slowest) = match answered {
            Ok(Ok(answers)) => answers,
            Ok(Err(trouble)) => return self.without(url, trouble.to_string()),
            Err(_) => return self.without(url, format!("no answer within {PATIENCE:?}")),
        };
        let now = Instant::now();
        let before = self.before.as_ref().map(|(samples, at)| (samples, (now - *at).as_secs_f64()));
        let figures = Figures { slowest, ..Figures::new(&url, &samples, before) };
        self.before = Some((samples, now));
        figures
    }

    fn without(&mut self, url: String, error: String) -> Figures {
        self.before = None;
        Figures { url, error: Some(error), ..Figures::default() }
    }

    async fn samples(&self) -> Result<Samples, Trouble> {
        let service = &self.service;
        let response = service.send(service.get(service.url("/metrics", []))).await?;
        let text = response.text().await.map_err(|error| service.unreachable(&error))?;
        let samples = Samples::parse(&text);
        match samples.sum("push_build_info") {
            Some(_) => Ok(samples),
            None => Err(Trouble::Cut("there is no push_build_info in its /metrics; name a push service".to_owned())),
        }
    }

    /// Returns the slowest readers, where the address is one of `--admin-listen`.
    async fn slowest(&mut self) -> Option<Vec<SlowReader>> {
        if self.has_no_debug {
            return None;
        }
        let service = &self.service;
        let debug: Debug = match service.json(service.get(service.url("/debug.json", []))).await {
            Ok(debug) => debug,
            Err(trouble) => {
                self.has_no_debug = matches!(trouble, Trouble::Refused { .. });
                return None;
            }
        };
        let mut slowest = debug.clients.slowest;
        slowest.retain(|reader| reader.lag_messages > 0 || reader.stalled_seconds > 0);
        slowest.truncate(SLOWEST);
        Some(slowest)
    }
}
