//! Durations as people write them, in flags and in queries.

use std::time::Duration;

/// The reason why a text is not the duration that was asked for.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum BadDuration {
    /// The text is no duration.
    #[error("write a duration such as 5s, 250ms or 1m30s")]
    Unreadable,
    /// The duration is zero where that makes no sense.
    #[error("must be longer than 0")]
    Zero,
}

/// Parses a duration such as `5s`, `1m 30s`, `250ms` or `0`.
///
/// # Errors
/// [`BadDuration::Unreadable`] when the text is no duration, or a negative one.
pub fn duration(text: &str) -> Result<Duration, BadDuration> {
    if text.trim() == "0" {
        return Ok(Duration::ZERO);
    }
    let signed: jiff::SignedDuration = text.trim().parse().map_err(|_| BadDuration::Unreadable)?;
    Duration::try_from(signed).map_err(|_| BadDuration::Unreadable)
}

/// Parses a duration that is not zero.
///
/// # Errors
/// As [`duration`], and [`BadDuration::Zero`].
pub fn period(text: &str) -> Result<Duration, BadDuration> {
    match duration(text)? {
        Duration::ZERO => Err(BadDuration::Zero),
        period => Ok(period),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_written_as_people_do() {
        for (text, millis) in [("5s", 5000), ("250ms", 250), ("1m30s", 90_000), ("1m 30s", 90_000), ("0", 0), ("0s", 0)]
        {
            assert_eq!(duration(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        for bad in ["", "5", "-5s", "x", "5 parsecs"] {
            assert!(duration(bad).is_err(), "{bad}");
        }
        assert_eq!(period("0"), Err(BadDuration::Zero));
    }
}
