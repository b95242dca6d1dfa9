//! The requests of clients.

use super::connection::Form;
use super::encoding::{self, STREAM};

/// A request.
pub(super) enum Request {
    Publish(String),
    Follow(Form, Vec<u8>),
    Echo(Vec<u8>),
    /// A poll from after this message; `true`: to be answered at once.
    Poll(Option<u64>, bool),
    Unknown,
}

/// Reads a request. Returns `None` if it is not complete.
pub(super) fn request(bytes: &[u8]) -> anyhow::Result<Option<(Request, usize)>> {
    let mut headers = [httparse::EMPTY_HEADER; 48];
    let mut head = httparse::Request::new(&mut headers);
    let httparse::Status::Complete(length) = head.parse(bytes)? else { return Ok(None) };
    let header = |name: &str| {
        let found = head.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name))?;
        std::str::from_utf8(found.value).ok()
    };
    let body = header("content-length").map_or(Ok(0), str::parse::<usize>)?;
    let Some(body) = bytes.get(length..length + body) else { return Ok(None) };
    let length = length + body.len();
    let (path, query) = head.path.unwrap_or("/").split_once('?').unwrap_or((head.path.unwrap_or("/"), ""));
    let parameter = |name: &str| query.split('&').find_map(|part| part.strip_prefix(name)?.strip_prefix('='));
    let key = header("sec-websocket-key");
    let request = match (head.method.unwrap_or(""), path, key) {
        ("POST", "/messages", _) => Request::Publish(String::from_utf8_lossy(body).into_owned()),
        ("GET", "/events", _) => Request::Follow(Form::Event, STREAM.to_vec()),
        ("GET", "/feed", Some(key)) => Request::Follow(Form::Frame, encoding::switching(key)),
        ("GET", "/", Some(key)) => Request::Echo(encoding::switching(key)),
        ("GET", "/poll", _) => {
            let since = parameter("since").and_then(|cursor| cursor.strip_prefix("l-")?.parse().ok());
            Request::Poll(since, parameter("wait") == Some("0"))
        }
        _ => Request::Unknown,
    };
    Ok(Some((request, length)))
}
