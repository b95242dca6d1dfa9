//! Errors with their causes, in one line of the log.

use std::error::Error;

/// The text of an error and of those that have caused it.
pub(crate) fn with_sources(error: &dyn Error) -> String {
    match error.source() {
        Some(source) => format!("{error}: {}", with_sources(source)),
        None => error.to_string(),
    }
}
