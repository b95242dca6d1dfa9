//! The keys of the flags and of their files.

use std::path::{Path, PathBuf};
use std::{fs, io};

use jsonwebtoken::Algorithm;

use super::bad_token::BadToken;
use super::claims::{Demands, RawClaims};
use super::config::AccessConfig;
use super::key::Key;
use super::public_key::{self, BadPublicKey};
use super::secret::{Secret, SecretTooShort};
use super::tickets::TicketKey;

/// The keys that do not change until the files are read again.
#[derive(Default)]
pub(super) struct FixedKeys {
    keys: Vec<Key>,
    /// Tickets are made with the first.
    pub(super) of_tickets: Vec<TicketKey>,
}

/// The reason why a key cannot be read. Nothing of a key is in it.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file cannot be read.
    #[error("cannot read {}", file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The content of a flag or file is no secret.
    #[error("{place}: {reason}")]
    Secret {
        /// The flag or file.
        place: String,
        /// The reason.
        reason: SecretTooShort,
    },
    /// The content of a file is no public key.
    #[error("{}: {reason}", file.display())]
    PublicKey {
        /// The file.
        file: PathBuf,
        /// The reason.
        reason: BadPublicKey,
    },
}

impl FixedKeys {
    /// Reads all keys. Where there is no secret, tickets have the one that is passed.
    pub(super) fn read(config: &AccessConfig, random: &Secret) -> Result<Self, KeyError> {
        let of_flag = |flag: &str, secret: &Secret| {
            secret.clone().checked().map_err(|reason| KeyError::Secret { place: flag.to_owned(), reason })
        };
        let mut secrets = Vec::new();
        if let Some(secret) = &config.jwt_secret {
            secrets.push(of_flag("--jwt-secret", secret)?);
        }
        for file in &config.jwt_secret_file {
            secrets.push(secret_of(file)?);
        }
        let mut keys: Vec<Key> = secrets.iter().map(Key::secret).collect();
        for file in &config.jwt_public_key {
            let of_file = public_key::read(&String::from_utf8_lossy(&read(file)?));
            keys.extend(of_file.map_err(|reason| KeyError::PublicKey { file: file.clone(), reason })?);
        }
        let secrets_of_tickets = match (&config.ticket_secret, &config.ticket_secret_file) {
            (Some(secret), _) => vec![of_flag("--ticket-secret", secret)?],
            (None, Some(file)) => vec![secret_of(file)?],
            (None, None) if secrets.is_empty() => vec![random.clone()],
            (None, None) => secrets,
        };
        let demands = Demands::of(config);
        let of_tickets = secrets_of_tickets.iter().map(|secret| TicketKey::of(secret, &demands)).collect();
        Ok(Self { keys, of_tickets })
    }

    /// Returns the claims of a token that one of the keys has signed; `None` if no key is for its algorithm.
    pub(super) fn claims(&self, algorithm: Algorithm, token: &str) -> Option<Result<RawClaims, BadToken>> {
        let keys = self.keys.iter().filter(|key| key.algorithm() == algorithm);
        keys.map(|key| key.claims(token)).reduce(|one, other| if one.is_ok() { one } else { other })
    }
}

fn secret_of(file: &Path) -> Result<Secret, KeyError> {
    let mut secret = read(file)?;
    // An editor ends the last line, and a secret is seldom meant to.
    while secret.last().is_some_and(|byte| matches!(byte, b'\n' | b'\r')) {
        secret.pop();
    }
    Secret::new(secret).checked().map_err(|reason| KeyError::Secret { place: file.display().to_string(), reason })
}

fn read(file: &Path) -> Result<Vec<u8>, KeyError> {
    fs::read(file).map_err(|source| KeyError::Unreadable { file: file.to_owned(), source })
}
