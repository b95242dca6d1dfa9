//! A secret, which neither the log nor an error message shows.

use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;

/// The least bytes of a secret: those of the hash, as RFC 7518, section 3.2, asks for.
pub(super) const LEAST_BYTES: usize = 32;

/// A secret of signatures, which may be too short.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Vec<u8>);

/// The error for a secret that can be guessed.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("a secret has 32 bytes or more; make one with `openssl rand -base64 48`")]
pub struct SecretTooShort;

impl Secret {
    pub(super) fn new(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// Returns the secret, unless it is too short.
    pub(super) fn checked(self) -> Result<Self, SecretTooShort> {
        if self.0.len() < LEAST_BYTES { Err(SecretTooShort) } else { Ok(self) }
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl FromStr for Secret {
    // Not checked here: the command line's own error would show it.
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(text.into()))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}
