//! The surroundings of a service that is to be attacked: its certificate and its keys, and how clients come in.

use std::fs;
use std::sync::Arc;

use anyhow::{Context, anyhow};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use rustls::ClientConfig;
use serde_json::json;
use testkit::tls::{Identity, VERSIONS};

use crate::folder::Folder;
use crate::load::Door;

/// The name of the key in the set of a closed service.
pub(super) const KEY: &str = "known";

/// The life of a token in seconds, longer than any attack.
const LIFE: f64 = 1e6;

/// The place of an attack.
#[derive(Debug)]
pub struct Site {
    identity: Option<Identity>,
    keys: Option<Keys>,
    door: Door,
}

/// The keys of a closed service: a secret, and a set with one public key.
#[derive(Debug)]
pub(super) struct Keys {
    secret: String,
    folder: Folder,
    /// The point of the public key, uncompressed (SEC 1, section 2.3.3).
    pub(super) point: Vec<u8>,
}

impl Site {
    /// # Errors
    /// Fails when the system does not do its part.
    pub(super) fn new(has_tls: bool, is_closed: bool) -> anyhow::Result<Self> {
        let identity = has_tls.then(Identity::new);
        let keys = if is_closed { Some(Keys::new()?) } else { None };
        let tls = identity.as_ref().map(|identity| Arc::new(identity.client_config(VERSIONS[1])));
        let token = keys.as_ref().map(Keys::token);
        Ok(Self { door: Door { tls, token }, identity, keys })
    }

    /// The flags of the service.
    pub fn flags(&self) -> Vec<(&'static str, String)> {
        let mut flags = Vec::new();
        if let Some(identity) = &self.identity {
            flags.push(("--tls-cert", identity.path("cert.pem").display().to_string()));
            flags.push(("--tls-key", identity.path("key.pem").display().to_string()));
        }
        if let Some(keys) = &self.keys {
            flags.push(("--jwt-secret", keys.secret.clone()));
            flags.push(("--jwks", keys.folder.path().join(SET).display().to_string()));
        }
        flags
    }

    /// The way of honest clients.
    pub fn door(&self) -> &Door {
        &self.door
    }

    pub(super) fn keys(&self) -> anyhow::Result<&Keys> {
        self.keys.as_ref().context("the service is open")
    }

    /// The settings of an attacker that speaks HTTP/2.
    pub(super) fn http2(&self) -> anyhow::Result<ClientConfig> {
        let mut config = self.identity()?.client_config(VERSIONS[1]);
        config.alpn_protocols = vec![b"h2".to_vec()];
        Ok(config)
    }

    /// The settings of an attacker that speaks TLS 1.2 and writes records by itself.
    pub(super) fn tls12(&self) -> anyhow::Result<ClientConfig> {
        let mut config = self.identity()?.client_config(VERSIONS[0]);
        config.enable_secret_extraction = true;
        Ok(config)
    }

    /// Those of an attacker that speaks TLS 1.3.
    pub(super) fn tls13(&self) -> anyhow::Result<Arc<ClientConfig>> {
        self.door.tls.clone().context("the service speaks in the clear")
    }

    fn identity(&self) -> anyhow::Result<&Identity> {
        self.identity.as_ref().context("the service speaks in the clear")
    }
}

/// The name of the file with the set of keys.
const SET: &str = "keys.json";

impl Keys {
    fn new() -> anyhow::Result<Self> {
        let (random, algorithm) = (SystemRandom::new(), &ECDSA_P256_SHA256_FIXED_SIGNING);
        let no_key = |error| anyhow!("no key can be made: {error}");
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(algorithm, &random).map_err(|_| anyhow!("no random numbers"))?;
        let pair = EcdsaKeyPair::from_pkcs8(algorithm, pkcs8.as_ref(), &random).map_err(no_key)?;
        let point = pair.public_key().as_ref().to_vec();
        let [x, y] = [&point[1..33], &point[33..]].map(|half| URL_SAFE_NO_PAD.encode(half));
        let key = json!({ "kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": KEY, "x": x, "y": y });
        let folder = Folder::new("keys")?;
        fs::write(folder.path().join(SET), json!({ "keys": [key] }).to_string()).context("writing a set of keys")?;
        Ok(Self { secret: format!("{:032x}", fastrand::u128(..)), folder, point })
    }

    /// A token that allows everything.
    pub(super) fn token(&self) -> String {
        token::hs256(self.secret.as_bytes(), &claims())
    }
}

/// Claims that would allow everything.
pub(super) fn claims() -> serde_json::Value {
    json!({ "sub": "somebody", "exp": token::now() + LIFE, "publish": [">"], "subscribe": [">"] })
}
