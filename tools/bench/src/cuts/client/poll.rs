//! A connection by long polling: one request after the other, for as long as it lasts.

use std::sync::atomic::Ordering;

use anyhow::bail;
use hyper::StatusCode;
use hyper::header::{ETAG, HeaderMap, LAST_MODIFIED};
use serde::Deserialize;

use super::endpoint::Endpoint;
use super::notes::Notes;
use crate::cuts::events::Gap;
use crate::http::{Connection, read_body};
use crate::target::Form;

/// The part of a page that a client needs.
#[derive(Deserialize)]
struct Page {
    messages: Vec<Message>,
    cursor: String,
    gap: Option<Gap>,
}

#[derive(Deserialize)]
struct Message {
    text: String,
}

pub(super) async fn session(endpoint: &Endpoint, notes: &mut Notes, began: u64) -> anyhow::Result<()> {
    let mut connection = Connection::open(endpoint.address, endpoint.idle).await?;
    let mut joined = false;
    loop {
        if endpoint.route.form != Form::Push {
            // There is no answer before the first message, so a client that waits counts as joined.
            notes.progress.joined.store(true, Ordering::Relaxed);
        }
        let response = connection.send(endpoint.request(notes)?, endpoint.wait + endpoint.idle).await?;
        let (head, body) = response.into_parts();
        let news = match head.status {
            StatusCode::OK => true,
            // There was no message in time.
            StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED | StatusCode::REQUEST_TIMEOUT => false,
            other => bail!("answered {other}"),
        };
        if !joined {
            joined = true;
            notes.joined(began);
        }
        let body = read_body(body, endpoint.idle).await?;
        if news {
            take(endpoint, notes, &head.headers, &body)?;
        }
    }
}

/// Reads a whole answer. One that was cut never gets here, and is requested again.
fn take(endpoint: &Endpoint, notes: &mut Notes, headers: &HeaderMap, body: &[u8]) -> anyhow::Result<()> {
    if endpoint.route.form == Form::Push {
        let page: Page = serde_json::from_slice(body)?;
        if let Some(gap) = page.gap {
            notes.gap(gap);
        }
        page.messages.iter().for_each(|message| notes.message(&message.text));
        notes.reached(&page.cursor);
        return Ok(());
    }
    notes.message(std::str::from_utf8(body)?);
    let header = |name| headers.get(name).and_then(|value: &hyper::header::HeaderValue| value.to_str().ok());
    if let (Some(modified), Some(etag)) = (header(LAST_MODIFIED), header(ETAG)) {
        notes.validators = Some((modified.to_owned(), etag.to_owned()));
    }
    Ok(())
}
