//! A subscriber: its requests, and how messages are read from the answers.

use std::fmt::Write;

use anyhow::{Context, bail, ensure};
use memchr::memmem;

use super::answer::{Answer, Chunks, Head};
use super::frames::{self, Frames, Piece};
use super::link::{Link, Wire};
use super::stamp::{Scanner, Stamp};
use crate::target::{Form, Method, Resume, Route};

/// The settings that all subscribers of a crowd share.
#[derive(Debug)]
pub(crate) struct Subscription {
    pub(crate) method: Method,
    /// The lines of headers of each request.
    headers: String,
    path: String,
    /// The path of a poll that is answered at once, which gives a subscriber its cursor before it is held.
    at_once: Option<String>,
    resume: Resume,
    first: Option<String>,
    form: Form,
    /// A poll is not repeated.
    once: bool,
}

impl Subscription {
    /// `fill` fills in the placeholders of a path, `headers` are lines that every request has.
    pub(crate) fn new(method: Method, route: &Route, fill: impl Fn(&str) -> String, headers: String) -> Self {
        let (resume, first) = (route.resume.clone(), route.first.clone());
        let at_once = route.at_once.as_deref().map(&fill);
        Self { method, headers, path: fill(&route.path), at_once, resume, first, form: route.form, once: false }
    }

    /// The settings of a crowd that only publishes.
    pub(crate) fn of_nobody() -> Self {
        let (headers, path) = (String::new(), String::new());
        let (resume, form) = (Resume::default(), Form::default());
        Self { method: Method::Sse, headers, path, at_once: None, resume, first: None, form, once: true }
    }

    /// The same settings, but polls are not repeated.
    pub(crate) fn once(self) -> Self {
        Self { once: true, ..self }
    }

    /// Returns whether the first answer comes without a message.
    pub(crate) fn is_answered(&self) -> bool {
        self.method != Method::Poll || self.at_once.is_some()
    }

    /// The first request of a subscriber.
    fn first(&self) -> Vec<u8> {
        let path = self.at_once.as_ref().unwrap_or(&self.path);
        let path = match (&self.resume, &self.first) {
            (Resume::Query(name), Some(first)) => with_parameter(path, name, first),
            _ => path.clone(),
        };
        match self.method {
            Method::Ws => frames::handshake(&path, &self.headers),
            Method::Sse => {
                format!("GET {path} HTTP/1.1\r\n{}Accept: text/event-stream\r\n\r\n", self.headers).into_bytes()
            }
            Method::Poll => format!("GET {path} HTTP/1.1\r\n{}\r\n", self.headers).into_bytes(),
        }
    }

    /// The request of a poll after an answer.
    fn next(&self, answer: &Answer<'_>, last: &mut Vec<u8>) -> anyhow::Result<()> {
        match &self.resume {
            Resume::Query(name) if answer.status == 200 => {
                let cursor = match self.form {
                    Form::Push => cursor(&answer.body).context("a page without a cursor")?,
                    _ => bail!("only pages as in docs/protocol.md have a cursor"),
                };
                *last = format!("GET {} HTTP/1.1\r\n{}\r\n", with_parameter(&self.path, name, cursor), self.headers)
                    .into_bytes();
            }
            Resume::Validators => {
                if let (Some(modified), Some(etag)) = (answer.header("last-modified"), answer.header("etag")) {
                    let mut text = format!("GET {} HTTP/1.1\r\n{}", self.path, self.headers);
                    // Writing to a string cannot fail.
                    let _ = write!(text, "If-Modified-Since: {modified}\r\nIf-None-Match: {etag}\r\n\r\n");
                    *last = text.into_bytes();
                }
            }
            _ => {}
        }
        Ok(())
    }
}

fn with_parameter(path: &str, name: &str, value: &str) -> String {
    let joint = if path.contains('?') { '&' } else { '?' };
    format!("{path}{joint}{name}={value}")
}

/// The cursor of a page. No text of a publisher comes after it.
fn cursor(body: &[u8]) -> Option<&str> {
    const FIELD: &[u8] = b"\"cursor\":\"";
    let rest = &body[memmem::rfind(body, FIELD)? + FIELD.len()..];
    std::str::from_utf8(&rest[..rest.iter().position(|&byte| byte == b'"')?]).ok()
}

#[derive(Debug)]
enum Phase {
    Connecting,
    /// The request is sent; this much of the head of its answer has come.
    Head(Vec<u8>),
    Sse(Option<Chunks>),
    Ws(Frames),
    /// The part of an answer that has come.
    Poll(Vec<u8>),
}

#[derive(Debug)]
pub(crate) struct Follower {
    pub(crate) link: Link,
    phase: Phase,
    scanner: Scanner,
    /// A poll's last request.
    request: Vec<u8>,
    /// The time at which it began to connect.
    pub(crate) since: u64,
    answered: bool,
}

/// The effect of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// Nothing that the crowd needs to know.
    Nothing,
    /// The request is sent. A held poll is not answered for now.
    Asked,
    /// The first answer has come.
    Answered,
}

impl Follower {
    pub(crate) fn new(link: Link, since: u64) -> Self {
        Self {
            link,
            phase: Phase::Connecting,
            scanner: Scanner::default(),
            request: Vec::new(),
            since,
            answered: false,
        }
    }

    /// Handles that the socket can be written to.
    pub(crate) fn writable(&mut self, subscription: &Subscription, wire: &mut Wire) -> anyhow::Result<Step> {
        if !matches!(self.phase, Phase::Connecting) {
            self.link.flush()?;
            return Ok(Step::Nothing);
        }
        self.link.connected().context("connecting")?;
        let request = subscription.first();
        self.link.send(&request, wire)?;
        wire.requests += 1;
        if subscription.method == Method::Poll {
            self.request = request;
            self.phase = Phase::Poll(Vec::new());
        } else {
            self.phase = Phase::Head(Vec::new());
        }
        Ok(Step::Asked)
    }

    /// Handles bytes that were read.
    pub(crate) fn take(
        &mut self,
        bytes: &[u8],
        subscription: &Subscription,
        wire: &mut Wire,
        found: &mut impl FnMut(Stamp),
    ) -> anyhow::Result<Step> {
        match &mut self.phase {
            Phase::Connecting => bail!("the server sent bytes before the request"),
            Phase::Sse(None) => self.scanner.scan(bytes, found),
            Phase::Sse(Some(chunks)) => {
                chunks.feed(bytes, |data| self.scanner.scan(data, &mut *found))?;
                ensure!(!chunks.ended(), "the server ended the stream");
            }
            Phase::Ws(frames) => {
                let (scanner, link) = (&mut self.scanner, &mut self.link);
                frames.feed(bytes, |piece| {
                    match piece {
                        Piece::Data(data, _) => scanner.scan(data, &mut *found),
                        Piece::Ping(payload) => link.send(&frames::frame(10, payload), wire)?,
                        Piece::Close(code) => bail!("the server closed with {code}"),
                    }
                    Ok(())
                })?;
            }
            Phase::Poll(partial) if partial.is_empty() => {
                let taken = answers(bytes, &mut self.link, &mut self.request, subscription, wire, found)?;
                partial.extend_from_slice(&bytes[taken..]);
                return Ok(self.step(taken > 0));
            }
            Phase::Poll(partial) => {
                partial.extend_from_slice(bytes);
                let taken = answers(partial, &mut self.link, &mut self.request, subscription, wire, found)?;
                partial.drain(..taken);
                return Ok(self.step(taken > 0));
            }
            Phase::Head(partial) => {
                partial.extend_from_slice(bytes);
                let Some(head) = Head::parse(partial)? else { return Ok(Step::Nothing) };
                let (wanted, next) = match subscription.method {
                    Method::Ws => (101, Phase::Ws(Frames::default())),
                    _ => (200, Phase::Sse(head.is_chunked().then(Chunks::default))),
                };
                ensure!(head.status == wanted, "answered {}", head.status);
                let rest = partial[head.length..].to_vec();
                self.phase = next;
                // These services send something as soon as a client is subscribed. For other servers the head has to do.
                if rest.is_empty() && subscription.form == Form::Push {
                    return Ok(Step::Nothing);
                }
                return self.take(&rest, subscription, wire, found);
            }
        }
        Ok(self.step(true))
    }

    fn step(&mut self, answered: bool) -> Step {
        if answered && !std::mem::replace(&mut self.answered, true) { Step::Answered } else { Step::Nothing }
    }
}

/// Reads complete answers to a poll and sends the next request. Returns the number of bytes that the answers took.
fn answers(
    bytes: &[u8],
    link: &mut Link,
    request: &mut Vec<u8>,
    subscription: &Subscription,
    wire: &mut Wire,
    found: &mut impl FnMut(Stamp),
) -> anyhow::Result<usize> {
    let mut taken = 0;
    while taken < bytes.len() {
        let Some(answer) = Answer::parse(&bytes[taken..])? else { break };
        match answer.status {
            200 => Scanner::default().scan(&answer.body, &mut *found),
            // There was no message in time.
            204 | 304 | 408 => {}
            other => bail!("answered {other}: {}", String::from_utf8_lossy(&answer.body)),
        }
        taken += answer.length;
        if subscription.once {
            continue;
        }
        subscription.next(&answer, request)?;
        link.send(request, wire)?;
        wire.requests += 1;
    }
    Ok(taken)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cursor_of_a_page_is_its_own_and_not_one_within_a_text() {
        let page = br#"{"messages":[{"id":"e-7","text":"\"cursor\":\"x\""}],"cursor":"e-8","more":false,"gap":null}"#;
        assert_eq!(cursor(page), Some("e-8"));
        assert_eq!(cursor(br#"{"messages":[]}"#), None);
    }

    #[test]
    fn a_parameter_is_added_to_whatever_the_path_has() {
        assert_eq!(with_parameter("/poll", "since", "now"), "/poll?since=now");
        assert_eq!(with_parameter("/poll?topic=a", "since", "now"), "/poll?topic=a&since=now");
    }
}
