//! The tokens of a run against a closed service.

use std::time::Duration;

use serde_json::json;

/// Signs tokens with a secret that the service has as well.
#[derive(Debug)]
pub struct Issuer {
    secret: String,
    /// The life of the clients' tokens.
    pub(crate) life: Duration,
}

impl Issuer {
    /// Makes a secret.
    pub fn new(life: Duration) -> Self {
        Self { secret: format!("{:032x}", fastrand::u128(..)), life }
    }

    /// The flags by which a service knows the tokens.
    pub fn flags(&self) -> [String; 2] {
        ["--jwt-secret".to_owned(), self.secret.clone()]
    }

    /// A token by which a client follows everything.
    pub(crate) fn subscriber(&self) -> String {
        let exp = token::now() + self.life.as_secs_f64();
        token::hs256(self.secret.as_bytes(), &json!({ "sub": "subscriber", "exp": exp, "subscribe": [">"] }))
    }

    /// A token of a publisher, which outlives the run.
    pub(crate) fn publisher(&self) -> String {
        let exp = token::now() + 1e6;
        token::hs256(self.secret.as_bytes(), &json!({ "sub": "publisher", "exp": exp, "publish": [">"] }))
    }
}
