//! A key, and the one algorithm that it is for.

use std::fmt;

use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode};

use super::bad_token::BadToken;
use super::claims::RawClaims;
use super::secret::Secret;
use crate::json_object::Object;

/// The least bytes of an RSA modulus (RFC 7518, section 3.3).
const LEAST_RSA_BYTES: usize = 2048 / 8;

/// The most that *ring* takes.
const MOST_RSA_BYTES: usize = 8192 / 8;

/// A key of tokens.
#[derive(Clone)]
pub(super) struct Key {
    algorithm: Algorithm,
    decoding: DecodingKey,
}

/// The reason why bytes are no key.
#[derive(Debug, Clone, Copy, thiserror::Error, PartialEq, Eq)]
pub enum BadKey {
    /// An RSA key that is too small or too large.
    #[error("an RSA key has from 2048 to 8192 bits")]
    RsaSize,
    /// Not a point of the curve.
    #[error("the key has another size than its curve")]
    PointSize,
}

impl Key {
    /// A secret, for HS256.
    pub(super) fn secret(secret: &Secret) -> Self {
        Self { algorithm: Algorithm::HS256, decoding: DecodingKey::from_secret(secret.as_bytes()) }
    }

    /// An RSA key, for RS256, of its modulus and exponent.
    pub(super) fn rsa(modulus: &[u8], exponent: &[u8]) -> Result<Self, BadKey> {
        let modulus = &modulus[modulus.iter().take_while(|byte| **byte == 0).count()..];
        if !(LEAST_RSA_BYTES..=MOST_RSA_BYTES).contains(&modulus.len()) {
            return Err(BadKey::RsaSize);
        }
        Ok(Self { algorithm: Algorithm::RS256, decoding: DecodingKey::from_rsa_raw_components(modulus, exponent) })
    }

    /// A point of the curve P-256, uncompressed, for ES256.
    pub(super) fn p256(point: &[u8]) -> Result<Self, BadKey> {
        if point.len() != 65 || point[0] != 4 {
            return Err(BadKey::PointSize);
        }
        Ok(Self { algorithm: Algorithm::ES256, decoding: DecodingKey::from_ec_der(point) })
    }

    /// A point of the curve Ed25519, for EdDSA.
    pub(super) fn ed25519(point: &[u8]) -> Result<Self, BadKey> {
        if point.len() != 32 {
            return Err(BadKey::PointSize);
        }
        Ok(Self { algorithm: Algorithm::EdDSA, decoding: DecodingKey::from_ed_der(point) })
    }

    pub(super) fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Returns the claims of a token that this key has signed, of which none is checked yet.
    pub(super) fn claims(&self, token: &str) -> Result<RawClaims, BadToken> {
        let mut validation = Validation::new(self.algorithm);
        // All of them are checked afterwards, by our own rules.
        validation.required_spec_claims.clear();
        validation.validate_exp = false;
        validation.validate_aud = false;
        let decoded = decode::<Object<RawClaims>>(token, &self.decoding, &validation);
        decoded.map(|token| token.claims.0).map_err(|error| match error.kind() {
            ErrorKind::InvalidSignature => BadToken::Signature,
            ErrorKind::InvalidAlgorithm => BadToken::OtherAlgorithm("another algorithm".to_owned()),
            ErrorKind::Json(_) | ErrorKind::Utf8(_) => BadToken::NoClaims,
            _ => BadToken::Malformed,
        })
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.algorithm)
    }
}

#[cfg(test)]
mod tests;
