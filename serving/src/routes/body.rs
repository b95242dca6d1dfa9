//! The body of a publication.

use std::pin::pin;

use bytes::Buf;
use futures_util::{Stream, StreamExt};
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use serde::Deserialize;
use shared::message::{Draft, EventName};
use tokio::time::timeout;

use super::array;
use crate::app::App;
use crate::body_budget::BodyReservation;
use crate::error::ApiError;
use crate::json_object::Object;
use crate::request::Request;

/// The memory that a body has at first which does not announce its length.
const SMALLEST: usize = 1024;

/// A body, and the memory that is reserved for it.
pub(super) struct Body {
    pub(super) bytes: Vec<u8>,
    pub(super) reservation: BodyReservation,
}

/// Reads the whole body, within `--max-body-bytes`, `--body-budget` and `--read-timeout`.
///
/// A client that announces a body for which there is no memory is refused before the body is asked for.
pub(super) async fn read<B: Buf>(
    app: &App,
    request: &Request,
    body: impl Stream<Item = Result<B, warp::Error>>,
) -> Result<Body, ApiError> {
    let limit = app.config.input.max_body_bytes.as_u64() as usize;
    let too_large = || ApiError::TooLarge { what: "body", limit, flag: "--max-body-bytes" };
    let announced = request.header(CONTENT_LENGTH.as_str()).and_then(|length| length.parse().ok());
    if announced.is_some_and(|length: usize| length > limit) {
        return Err(too_large());
    }
    let mut reservation = app.admission.reserve_body();
    let announced = announced.unwrap_or_default();
    reservation.grow_to(announced)?;
    let read = async {
        let mut body = pin!(body);
        let mut bytes = Vec::with_capacity(announced);
        while let Some(chunk) = body.next().await {
            let mut chunk = chunk
                .map_err(|error| ApiError::BadRequest(format!("{error}; send the body as its headers announce it")))?;
            if bytes.len() + chunk.remaining() > limit {
                return Err(too_large());
            }
            if bytes.len() + chunk.remaining() > bytes.capacity() {
                let capacity =
                    (bytes.len() + chunk.remaining()).next_power_of_two().clamp(SMALLEST, SMALLEST.max(limit));
                reservation.grow_to(capacity)?;
                bytes.reserve_exact(capacity - bytes.len());
            }
            while chunk.has_remaining() {
                let part = chunk.chunk();
                bytes.extend_from_slice(part);
                let length = part.len();
                chunk.advance(length);
            }
        }
        Ok(Body { bytes, reservation })
    };
    let within = app.config.connections.read_timeout;
    timeout(within, read).await.unwrap_or(Err(ApiError::TooSlow { part: "body" }))
}

/// The form of a body.
pub(crate) enum Form {
    Json,
    /// The text to publish, whatever its type.
    Text,
}

/// A message in a body of JSON.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct JsonDraft {
    text: Option<Box<str>>,
    #[serde(default)]
    event: Option<EventName>,
}

impl JsonDraft {
    fn draft(self) -> Result<Draft, ApiError> {
        Ok(Draft { text: self.text.ok_or(ApiError::NoText)?, event: self.event })
    }
}

impl Form {
    pub(super) fn of(request: &Request) -> Result<Self, ApiError> {
        if let Some(encoding) = request.header(CONTENT_ENCODING.as_str())
            && !encoding.eq_ignore_ascii_case("identity")
        {
            return Err(ApiError::UnsupportedMediaType(format!("the encoding {encoding} is not understood")));
        }
        let content_type = request.header(CONTENT_TYPE.as_str()).unwrap_or_default().to_ascii_lowercase();
        let mut parts = content_type.split(';').map(str::trim);
        let essence = parts.next().unwrap_or_default();
        for parameter in parts {
            if let Some(charset) = parameter.strip_prefix("charset=")
                && !matches!(charset.trim_matches('"'), "utf-8" | "utf8" | "us-ascii")
            {
                return Err(ApiError::UnsupportedMediaType(format!("the charset {charset} is not understood")));
            }
        }
        let is_json = essence == "application/json" || essence.ends_with("+json");
        Ok(if is_json { Self::Json } else { Self::Text })
    }

    /// Returns the messages in a body, and whether they came as an array, which holds at most `max_array`.
    pub(crate) fn parse(self, body: Vec<u8>, max_array: usize) -> Result<(Vec<Draft>, bool), ApiError> {
        let text = String::from_utf8(body).map_err(|_| ApiError::InvalidUtf8)?;
        // A byte order mark may be passed over (RFC 8259, section 8.1).
        let json = text.strip_prefix('\u{feff}').unwrap_or(&text);
        let bad_json = |error: serde_json::Error| ApiError::BadJson(error.to_string());
        let (drafts, many): (Vec<Draft>, bool) = match self {
            Self::Text if text.is_empty() => return Err(ApiError::NoText),
            Self::Text => (vec![Draft::text(text)], false),
            Self::Json if json.trim_start().starts_with('[') => {
                let drafts = array::parse::<Object<JsonDraft>>(json, max_array).map_err(bad_json)?;
                let drafts = drafts.ok_or(ApiError::TooManyMessages { limit: max_array })?;
                (drafts.into_iter().map(|Object(draft)| draft.draft()).collect::<Result<_, _>>()?, true)
            }
            Self::Json => {
                let Object(draft) = serde_json::from_str::<Object<JsonDraft>>(json).map_err(bad_json)?;
                (vec![draft.draft()?], false)
            }
        };
        if drafts.is_empty() { Err(ApiError::NoText) } else { Ok((drafts, many)) }
    }
}
