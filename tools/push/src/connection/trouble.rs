//! The ways in which a request fails.

use std::error::Error;
use std::fmt;
use std::time::{Duration, SystemTime};

use reqwest::header::{LOCATION, RETRY_AFTER};
use reqwest::{Response, StatusCode};
use serde::Deserialize;

use crate::exit::Exit;

/// The bytes of an error's body that are read.
const BODY: usize = 64 * 1024;

/// The reason why a request failed.
#[derive(Debug, Clone)]
pub(crate) enum Trouble {
    /// It was refused, and would be again.
    Refused { status: StatusCode, error: Option<String>, message: String },
    /// It was not taken for now.
    Busy { status: StatusCode, error: Option<String>, message: String, retry_after: Option<Duration> },
    /// The service was not reached.
    Unreachable(String),
    /// The connection broke, or nothing came in time.
    Cut(String),
    /// Something on this side is wrong.
    End(Exit),
}

/// The body of an error.
#[derive(Debug, Deserialize)]
struct ErrorBody {
    error: String,
    message: String,
}

impl Trouble {
    /// Reads an answer that is no success.
    pub(crate) async fn of(mut response: Response) -> Self {
        let status = response.status();
        let retry_after = retry_after(&response);
        let location = response.headers().get(LOCATION).and_then(|url| url.to_str().ok()).map(str::to_owned);
        let mut body = Vec::new();
        while body.len() < BODY
            && let Ok(Some(piece)) = response.chunk().await
        {
            body.extend_from_slice(&piece);
        }
        let (error, message) = match (serde_json::from_slice(&body), location) {
            (Ok(ErrorBody { error, message }), _) => (Some(error), message),
            (Err(_), Some(url)) if status.is_redirection() => (None, format!("it is at {url}; name that with --url")),
            (Err(_), _) => (
                None,
                "the answer is none of a push service; something in between gave it, or --url names another server"
                    .to_owned(),
            ),
        };
        match status {
            StatusCode::REQUEST_TIMEOUT
            | StatusCode::TOO_EARLY
            | StatusCode::TOO_MANY_REQUESTS
            | StatusCode::INTERNAL_SERVER_ERROR
            | StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT => Self::Busy { status, error, message, retry_after },
            _ => Self::Refused { status, error, message },
        }
    }

    /// Returns the time before which the service asks not to be asked again.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Busy { retry_after, .. } => *retry_after,
            _ => None,
        }
    }

    /// Returns whether the service may have done what it was asked for without saying so.
    pub(crate) fn may_have_been_done(&self) -> bool {
        match self {
            Self::Cut(_) => true,
            // The other codes of docs/protocol.md say that nothing was stored; an answer without a code is that of a proxy.
            Self::Busy { error, .. } => error.as_deref().is_none_or(|code| code == "in_doubt"),
            Self::Refused { .. } | Self::Unreachable(_) | Self::End(_) => false,
        }
    }

    /// Returns the end of a command that does not try again.
    pub(crate) fn into_exit(self) -> Exit {
        match self {
            Self::End(exit) => exit,
            Self::Refused { status: StatusCode::UNAUTHORIZED, .. } => Exit::Refused(format!(
                "{self}; give a token that the service takes with --token, --token-file or PUSH_TOKEN (`push token` makes one)"
            )),
            Self::Refused { .. } => Exit::Refused(self.to_string()),
            Self::Busy { .. } | Self::Unreachable(_) | Self::Cut(_) => Exit::Failed(self.to_string()),
        }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused { status, error, message } | Self::Busy { status, error, message, .. } => {
                let error = error.as_deref().or(status.canonical_reason()).unwrap_or_default();
                write!(f, "{} {error}: {message}", status.as_u16())
            }
            Self::Unreachable(message) | Self::Cut(message) => f.write_str(message),
            Self::End(exit) => write!(f, "{exit:?}"),
        }
    }
}

/// Reads `Retry-After` (RFC 9110, section 10.2.3): seconds, or a time.
fn retry_after(response: &Response) -> Option<Duration> {
    let value = response.headers().get(RETRY_AFTER)?.to_str().ok()?;
    match value.parse() {
        Ok(seconds) => Some(Duration::from_secs(seconds)),
        Err(_) => httpdate::parse_http_date(value).ok()?.duration_since(SystemTime::now()).ok(),
    }
}

/// Returns an error with its causes.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        if !text.ends_with(&next) {
            text.push_str(": ");
            text.push_str(&next);
        }
        cause = error.source();
    }
    text
}
