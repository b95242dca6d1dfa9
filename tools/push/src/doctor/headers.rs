//! Headers that were lost or added on the way.

use reqwest::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderMap};

use super::finding::{Finding, Kind};

const CHECK: &str = "headers";

/// The headers that a push service sends with a stream, and those that every hop sets anew.
const OWN: [&str; 13] = [
    "access-control-allow-credentials",
    "access-control-allow-origin",
    "access-control-expose-headers",
    "cache-control",
    "connection",
    "content-type",
    "date",
    "keep-alive",
    "transfer-encoding",
    "vary",
    "x-content-type-options",
    // nginx takes it for itself.
    "x-accel-buffering",
    "retry-after",
];

/// Compares the head of a stream with the one that a push service sends.
pub(super) fn compare(headers: &HeaderMap) -> Finding {
    let text = |value: &reqwest::header::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let mut changed = Vec::new();
    let cache_control = headers.get(CACHE_CONTROL).map(text).unwrap_or_default();
    for directive in ["no-cache", "no-transform"] {
        if !cache_control.contains(directive) {
            changed.push(format!("Cache-Control has lost {directive}"));
        }
    }
    let content_type = headers.get(CONTENT_TYPE).map(text).unwrap_or_default();
    if !content_type.starts_with("text/event-stream") {
        changed.push(format!("Content-Type is {content_type:?} in place of \"text/event-stream\""));
    }
    if let Some(encoding) = headers.get("content-encoding").map(text) {
        changed.push(format!("Content-Encoding: {encoding} was added: what compresses a stream may hold it back"));
    }
    let added = headers.iter().filter(|(name, _)| !OWN.contains(&name.as_str()) && *name != "content-encoding");
    let added: Vec<String> = added.map(|(name, value)| format!("{name}: {}", text(value))).collect();
    let between = if added.is_empty() { "none was added".to_owned() } else { format!("added: {}", added.join(", ")) };
    match &changed[..] {
        [] => Finding::good(CHECK, format!("none was lost on the way, {between}")),
        _ => Finding::new(CHECK, Kind::Warning, format!("{}; {between}", changed.join("; "))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        lines.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    #[test]
    fn what_the_service_sends_is_neither_lost_nor_added() {
        let own = [("content-type", "text/event-stream"), ("cache-control", "no-cache, no-transform"), ("date", "x")];
        let finding = compare(&head(&own));
        assert_eq!(
            (finding.outcome, finding.detail.as_str()),
            (Kind::Good, "none was lost on the way, none was added")
        );
        let with_via = compare(&head(&[&own[..], &[("via", "1.1 x")]].concat()));
        assert_eq!(
            (with_via.outcome, with_via.detail.as_str()),
            (Kind::Good, "none was lost on the way, added: via: 1.1 x")
        );
    }

    #[test]
    fn changes_are_reported() {
        let finding = compare(&head(&[
            ("content-type", "text/plain"),
            ("cache-control", "no-cache"),
            ("content-encoding", "gzip"),
        ]));
        assert_eq!(finding.outcome, Kind::Warning);
        for change in ["lost no-transform", "\"text/plain\" in place", "gzip was added"] {
            assert!(finding.detail.contains(change), "{finding:?}");
        }
    }
}
