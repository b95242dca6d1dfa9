//! The outcome of a check.

use anstyle::{AnsiColor, Style};
use reqwest::StatusCode;
use serde::Serialize;

use super::advice;
use crate::connection::Trouble;
use crate::notice::harmless;
use crate::output::Show;

/// A finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    pub(super) check: &'static str,
    pub(super) outcome: Kind,
    pub(super) detail: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) advice: Option<&'static str>,
    /// The service refused it for lack of rights.
    #[serde(skip)]
    pub(super) is_forbidden: bool,
}

/// The kind of a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Kind {
    /// It gets through.
    Good,
    /// It gets through, and something is not as it should be.
    Warning,
    /// It does not get through.
    Bad,
    /// The service does not have it, which is no fault.
    Absent,
}

impl Finding {
    pub(super) fn new(check: &'static str, outcome: Kind, detail: impl Into<String>) -> Self {
        Self { check, outcome, detail: detail.into(), advice: None, is_forbidden: false }
    }

    pub(super) fn good(check: &'static str, detail: impl Into<String>) -> Self {
        Self::new(check, Kind::Good, detail)
    }

    pub(super) fn bad(check: &'static str, detail: impl Into<String>, advice: &'static str) -> Self {
        Self { advice: Some(advice), ..Self::new(check, Kind::Bad, detail) }
    }

    /// Judges a request that failed. `usual` is the advice if nothing better is known.
    pub(super) fn of_trouble(check: &'static str, trouble: &Trouble, usual: &'static str) -> Self {
        let detail = trouble.to_string();
        match trouble {
            Trouble::Refused { status: StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN, error: Some(_), .. } => {
                Self { is_forbidden: true, ..Self::bad(check, detail, advice::TOKEN) }
            }
            // The error of a push service: it was reached, and has no such route.
            Trouble::Refused { status: StatusCode::NOT_FOUND, error: Some(_), .. } => {
                Self::new(check, Kind::Absent, "the service at this URL does not have it")
            }
            // It is the service that says so, whatever is between.
            Trouble::Busy { error: Some(_), .. } => Self::new(check, Kind::Bad, detail),
            _ => Self::bad(check, detail, usual),
        }
    }
}

impl Show for Finding {
    fn words(&self) -> String {
        let (sign, colour) = match self.outcome {
            Kind::Good => ("good   ", AnsiColor::Green),
            Kind::Warning => ("warning", AnsiColor::Yellow),
            Kind::Bad => ("bad    ", AnsiColor::Red),
            Kind::Absent => ("absent ", AnsiColor::BrightBlack),
        };
        let (style, bold) = (colour.on_default().bold(), Style::new().bold());
        let advice = self.advice.map(|advice| format!("\n         → {advice}")).unwrap_or_default();
        format!("{style}{sign}{style:#}  {bold}{}{bold:#}: {}{advice}", self.check, harmless(&self.detail))
    }
}
