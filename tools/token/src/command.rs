//! The command that makes a token for trying a closed service: `push token`, and `cargo xtask token`.

use std::{fs, path::PathBuf};

use anyhow::{Context, ensure};
use clap::Args;
use serde_json::{Map, Value, json};

/// Makes a token for trying a service that was closed with --jwt-secret or --jwt-secret-file
///
/// The token is written to standard output: `curl -H "Authorization: Bearer $(push token --subscribe '>')" …`. In
/// production, tokens come from whatever knows the users, such as the backend of a site.
#[derive(Debug, Args)]
pub struct Token {
    /// The secret of the service
    #[arg(long, env = "PUSH_JWT_SECRET", value_name = "SECRET", hide_env_values = true)]
    secret: Option<String>,
    /// A file with the secret of the service
    #[arg(long, env = "PUSH_JWT_SECRET_FILE", value_name = "FILE", conflicts_with = "secret")]
    secret_file: Option<PathBuf>,
    /// A topic, or a pattern, that the bearer may publish on; may be given several times
    #[arg(long, value_name = "TOPIC", value_delimiter = ',')]
    publish: Vec<String>,
    /// A topic, or a pattern, that the bearer may follow and read; may be given several times
    #[arg(long, value_name = "TOPIC", value_delimiter = ',')]
    subscribe: Vec<String>,
    /// The time for which the token is good, such as 30s, 10m, 1h or 7d
    #[arg(long = "for", value_name = "TIME", default_value = "1h", value_parser = seconds)]
    life: u64,
    /// The subject: the bearer's name
    #[arg(long, value_name = "NAME")]
    sub: Option<String>,
    /// The issuer, where the service asks for one
    #[arg(long, value_name = "ISSUER")]
    issuer: Option<String>,
    /// The audience, where the service asks for one
    #[arg(long, value_name = "AUDIENCE")]
    audience: Option<String>,
}

impl Token {
    /// Makes the token.
    ///
    /// # Errors
    /// Fails when there is no secret, or when it is too short.
    pub fn make(&self) -> anyhow::Result<String> {
        Ok(crate::hs256(self.secret()?.as_bytes(), &self.claims()))
    }

    fn secret(&self) -> anyhow::Result<String> {
        let secret = match (&self.secret, &self.secret_file) {
            (Some(secret), _) => secret.clone(),
            (None, Some(file)) => {
                let secret = fs::read_to_string(file).with_context(|| format!("reading {}", file.display()))?;
                secret.trim_end_matches(['\n', '\r']).to_owned()
            }
            (None, None) => anyhow::bail!("name the secret of the service with --secret or --secret-file"),
        };
        ensure!(
            secret.len() >= 32,
            "a service takes no secret of less than 32 bytes; make one with `openssl rand -base64 48`"
        );
        Ok(secret)
    }

    fn claims(&self) -> Value {
        let mut claims = Map::new();
        claims.insert("exp".to_owned(), json!(crate::now() as u64 + self.life));
        for (name, topics) in [("publish", &self.publish), ("subscribe", &self.subscribe)] {
            if !topics.is_empty() {
                claims.insert(name.to_owned(), json!(topics));
            }
        }
        for (name, value) in [("sub", &self.sub), ("iss", &self.issuer), ("aud", &self.audience)] {
            if let Some(value) = value {
                claims.insert(name.to_owned(), json!(value));
            }
        }
        claims.into()
    }
}

/// Parses a time in seconds, minutes, hours or days.
fn seconds(text: &str) -> Result<u64, &'static str> {
    let error = "write a number with its unit, such as 30s, 10m, 1h or 7d";
    let unit = text.chars().last().ok_or(error)?;
    let factor = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        _ => return Err(error),
    };
    let number: u64 = text[..text.len() - 1].parse().map_err(|_| error)?;
    number.checked_mul(factor).filter(|seconds| *seconds <= 100 * 365 * 86_400).ok_or(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_has_a_unit() {
        for (text, time) in [("30s", 30), ("10m", 600), ("1h", 3_600), ("7d", 604_800)] {
            assert_eq!(seconds(text), Ok(time));
        }
        for text in ["", "7", "h", "-1s", "1w", "1.5h", "99999999999999999999d", "36501d", "1é"] {
            assert!(seconds(text).is_err(), "{text}");
        }
    }
}
