//! The tag of a content, by which a browser asks whether the one that it keeps is still the newest (RFC 9110, section 8.8.3).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::HeaderMap;
use http::header::IF_NONE_MATCH;
use ring::digest::{SHA256, digest};

/// The number of bytes of the digest: enough that no two contents have the same one.
const BYTES: usize = 12;

/// A tag, which follows from the content alone.
#[derive(Debug)]
pub(crate) struct EntityTag(String);

impl EntityTag {
    pub(crate) fn of(content: &str) -> Self {
        let digest = digest(&SHA256, content.as_bytes());
        Self(format!("\"{}\"", URL_SAFE_NO_PAD.encode(&digest.as_ref()[..BYTES])))
    }

    /// Its text, in quotes.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// Its text without the quotes: letters, digits, `-` and `_`.
    pub(crate) fn name(&self) -> &str {
        self.0.trim_matches('"')
    }

    /// Returns whether the client has this content already (RFC 9110, section 13.1.2).
    pub(crate) fn is_kept(&self, headers: &HeaderMap) -> bool {
        let lines = headers.get_all(IF_NONE_MATCH).iter().filter_map(|line| line.to_str().ok());
        lines
            .flat_map(|line| line.split(','))
            .map(str::trim)
            .any(|tag| tag == "*" || tag.trim_start_matches("W/") == self.0)
    }
}
