//! A set of keys that is read again and again, so that its owner can change keys without telling anybody: `--jwks`.

use std::time::Duration;
use std::{fs, io};

use parking_lot::RwLock;
use reqwest::{Client, StatusCode};
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};
use tracing::{info, warn};

use super::config::{AccessConfig, KeySetPlace};
use super::key::Key;
use super::key_set::{BadKeySet, KeySet};
use crate::error_chain::with_sources;
use crate::metrics::KeySetReadings;
use crate::tls::use_ring;

/// The least time between two readings that a token with an unknown key, or a failure, can cause.
const PAUSE: Duration = Duration::from_secs(10);

/// The keys, as they were read last.
pub(super) struct FetchedKeys {
    place: KeySetPlace,
    refresh: Duration,
    patience: Duration,
    max_bytes: usize,
    http: Client,
    /// Absent until the set has been read.
    keys: RwLock<Option<KeySet>>,
    /// The time of the last reading. Locked while the set is read.
    last: Mutex<Option<Reading>>,
    readings: KeySetReadings,
}

#[derive(Debug, Clone, Copy)]
struct Reading {
    at: Instant,
    has_failed: bool,
}

/// The reason why a set cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum KeySetError {
    /// The file cannot be read.
    #[error("cannot read it")]
    Unreadable(#[source] io::Error),
    /// There is nothing to check the server's certificate by.
    #[error("the system has no certificates to trust")]
    NoClient(#[source] reqwest::Error),
    /// The server cannot be asked.
    #[error("cannot be reached")]
    Unreachable(#[source] reqwest::Error),
    /// The server does not answer within `--jwks-timeout`.
    #[error("no answer within {0:?}")]
    TooSlow(Duration),
    /// The server answers something else.
    #[error("the answer is {0}")]
    Status(StatusCode),
    /// The set is larger than `--jwks-max-bytes`.
    #[error("it is larger than {0} bytes; raise --jwks-max-bytes")]
    TooLarge(usize),
    /// See [`BadKeySet`].
    #[error(transparent)]
    Malformed(#[from] BadKeySet),
}

/// The outcome of looking for a key.
pub(super) enum Found {
    Key(Key),
    /// The set does not have it.
    Nothing,
    /// The set has never been read.
    NoSet,
}

impl FetchedKeys {
    /// A set that is read for the first time by [`FetchedKeys::run`].
    pub(super) fn new(
        place: KeySetPlace,
        config: &AccessConfig,
        readings: KeySetReadings,
    ) -> Result<Self, KeySetError> {
        use_ring();
        // A set is where its URL is: wherever it is moved to, somebody has to look at it.
        let http = Client::builder().redirect(reqwest::redirect::Policy::none());
        let uses_tls = matches!(&place, KeySetPlace::Url(url) if url.scheme() == "https");
        // A system without certificates can do without them here.
        let http = if uses_tls { http } else { http.tls_certs_only([]) };
        let http = http.build().map_err(KeySetError::NoClient)?;
        Ok(Self {
            place,
            refresh: config.jwks_refresh,
            patience: config.jwks_timeout,
            max_bytes: usize::try_from(config.jwks_max_bytes.as_u64()).unwrap_or(usize::MAX),
            http,
            keys: RwLock::default(),
            last: Mutex::default(),
            readings,
        })
    }

    /// Reads the set from its file now; a set that is behind a URL is read later.
    pub(super) fn read_file(&self) -> Result<(), KeySetError> {
        if let KeySetPlace::File(file) = &self.place {
            *self.keys.write() = Some(self.parse(&fs::read(file).map_err(KeySetError::Unreadable)?)?);
            self.readings.note_read();
        }
        Ok(())
    }

    pub(super) fn is_known(&self) -> bool {
        self.keys.read().is_some()
    }

    /// Returns the key of a name, or the only key where a token names none. For a name that is not known, the set is read again.
    pub(super) async fn get(&self, name: Option<&str>) -> Found {
        if let found @ Found::Key(_) = self.known(name) {
            return found;
        }
        if name.is_some() || !self.is_known() {
            let mut last = self.last.lock().await;
            // Others may have waited for the same reading.
            let is_recent = last.is_some_and(|last| last.at.elapsed() < PAUSE);
            if !is_recent && matches!(self.known(name), Found::Nothing | Found::NoSet) {
                self.reread(&mut last).await;
            }
        }
        self.known(name)
    }

    fn known(&self, name: Option<&str>) -> Found {
        match self.keys.read().as_ref() {
            None => Found::NoSet,
            Some(keys) => match name {
                Some(name) => keys.get(name),
                None => keys.only(),
            }
            .cloned()
            .map_or(Found::Nothing, Found::Key),
        }
    }

    /// Reads the set now, and then at its interval, or sooner after a failure. Never ends.
    pub(super) async fn run(&self) {
        loop {
            let mut last = self.last.lock().await;
            let due = last.map(|last| last.at + if last.has_failed { PAUSE.min(self.refresh) } else { self.refresh });
            if due.is_none_or(|due| due <= Instant::now()) {
                self.reread(&mut last).await;
            }
            drop(last);
            if let Some(due) = due {
                tokio::time::sleep_until(due).await;
            }
        }
    }

    /// Reads the set at once.
    pub(super) async fn read_again(&self) {
        self.reread(&mut *self.last.lock().await).await;
    }

    async fn reread(&self, last: &mut Option<Reading>) {
        let had_failed = last.is_some_and(|last| last.has_failed);
        // Set before, so that nobody reads it again at once if this future is dropped.
        *last = Some(Reading { at: Instant::now(), has_failed: true });
        let place = &self.place;
        match timeout(self.patience, self.read()).await.unwrap_or(Err(KeySetError::TooSlow(self.patience))) {
            Ok(keys) => {
                let count = keys.len();
                self.readings.note_read();
                let is_first = self.keys.write().replace(keys).is_none();
                if is_first || had_failed {
                    info!(keys = count, "the keys of {place} are read");
                }
                *last = Some(Reading { at: Instant::now(), has_failed: false });
            }
            Err(error) => {
                self.readings.count_failed();
                let (error, goes_on) = (with_sources(&error), self.is_known());
                if goes_on {
                    warn!(%error, "the keys of {place} cannot be read again; those that were read last count");
                } else {
                    warn!(%error, "the keys of {place} cannot be read; no token is good until they are");
                }
            }
        }
    }

    async fn read(&self) -> Result<KeySet, KeySetError> {
        match &self.place {
            KeySetPlace::File(file) => self.parse(&fs::read(file).map_err(KeySetError::Unreadable)?),
            KeySetPlace::Url(url) => {
                let request = self.http.get(url.clone()).header("accept", "application/json");
                // The URL may have a key of the server that is asked.
                let unreachable = |error: reqwest::Error| KeySetError::Unreachable(error.without_url());
                let mut response = request.send().await.map_err(unreachable)?;
                if response.status() != StatusCode::OK {
                    return Err(KeySetError::Status(response.status()));
                }
                let mut json = Vec::new();
                while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
                    json.extend_from_slice(&chunk);
                    if json.len() > self.max_bytes {
                        return Err(KeySetError::TooLarge(self.max_bytes));
                    }
                }
                self.parse(&json)
            }
        }
    }

    fn parse(&self, json: &[u8]) -> Result<KeySet, KeySetError> {
        if json.len() > self.max_bytes {
            return Err(KeySetError::TooLarge(self.max_bytes));
        }
        Ok(KeySet::read(json)?)
    }
}

#[cfg(test)]
mod tests {
    use clap::{Args as _, Command, FromArgMatches as _};
    use serde_json::json;
    use tokio::time::advance;

    use super::*;

    fn keys(names: &[&str]) -> String {
        let key = |name| json!({ "kty": "OKP", "crv": "Ed25519", "kid": name, "x": "A".repeat(43) });
        json!({ "keys": names.iter().map(key).collect::<Vec<_>>() }).to_string()
    }

    #[tokio::test(start_paused = true)]
    async fn an_unknown_name_has_the_set_read_again_every_10_seconds_at_most() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("keys.json");
        fs::write(&file, keys(&["one"])).unwrap();
        let command = AccessConfig::augment_args(Command::new("service"));
        let config = AccessConfig::from_arg_matches(&command.try_get_matches_from(["service"]).unwrap()).unwrap();
        let fetched = FetchedKeys::new(KeySetPlace::File(file.clone()), &config, KeySetReadings::default()).unwrap();
        fetched.read_file().unwrap();
        let has = async |name| matches!(fetched.get(Some(name)).await, Found::Key(_));
        assert!(has("one").await && !has("two").await);
        fs::write(&file, keys(&["one", "two"])).unwrap();
        for (wait, is_known) in [(0, false), (9, false), (1, true)] {
            advance(Duration::from_secs(wait)).await;
            assert_eq!(has("two").await, is_known);
        }
    }
}
