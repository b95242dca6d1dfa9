//! `GET /`, upgraded: every message comes back, a text with a prefix.

use std::fmt::{self, Write};
use std::sync::Arc;
use std::task::{Context, Poll};

use serving::app::App;
use serving::connection::{Answer, Client, Event};
use serving::error::ApiError;
use serving::log_budget::ClientLine;
use serving::request::Request;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};
use tracing::{debug, info};

use crate::close::Close;
use crate::frame;
use crate::session::{self, Conversation, Message};

/// The number of characters of a message that are logged.
const LOGGED: usize = 200;

/// Beginnings of what is not logged: the field of a token's frame, which belongs to the feed, and a token or ticket, whose JSON begins with a
/// brace and a quote, a space or a line end, in base64url.
const SECRETS: [&str; 6] = ["\"token", "eyJ", "eyA", "ewo", "ew0", "ewk"];

/// Answers a request for the echo.
pub(crate) async fn open(app: Arc<App>, request: Request, prefix: Arc<str>) -> Result<Answer, ApiError> {
    let access = request.access(&app).await?;
    app.check_token(&access)?;
    session::open(&request, &access, app.max_message_bytes(), Echo { prefix, is_open: false })
}

struct Echo {
    prefix: Arc<str>,
    is_open: bool,
}

impl Conversation for Echo {
    fn begin(&mut self, _: &mut Client) {
        self.is_open = true;
        log(ClientLine::Connection, format_args!("客户端连接成功"));
    }

    fn on_message(&mut self, message: Message, _: &mut Client, answers: &mut Vec<u8>) {
        match message {
            Message::Text(text) => {
                log(ClientLine::Message, format_args!("接收到消息：{}", Loggable(&text)));
                frame::put(answers, OpCode::Data(Data::Text), &[self.prefix.as_bytes(), text.as_bytes()]);
            }
            Message::Binary(bytes) => {
                log(ClientLine::Message, format_args!("接收到消息：{} 字节", bytes.len()));
                frame::put(answers, OpCode::Data(Data::Binary), &[&bytes]);
            }
        }
    }

    fn heartbeat(&mut self, _: &mut Client) {}

    fn on(&mut self, event: Event, _: &mut Client) -> Option<Close> {
        match event {
            Event::Released => Some(Close::Restart),
            Event::Expired => Some(Close::Expired),
            _ => None,
        }
    }

    fn poll_event(&mut self, _: &mut Context<'_>) -> Poll<Event> {
        Poll::Pending
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        if self.is_open {
            log(ClientLine::Connection, format_args!("客户端断开连接"));
        }
    }
}

/// Logs a line: at info, unless so many come that the log would cost more than the echo.
fn log(line: ClientLine, text: fmt::Arguments<'_>) {
    if line.is_in_budget() {
        info!("{text}");
    } else {
        debug!("{text}");
    }
}

/// The beginning of a text, up to what looks like a token, such that it stays on its line of the log.
struct Loggable<'a>(&'a str);

impl fmt::Display for Loggable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let secret = SECRETS.iter().filter_map(|beginning| self.0.find(beginning)).min();
        let mut rest = self.0[..secret.unwrap_or(self.0.len())].chars();
        for c in rest.by_ref().take(LOGGED) {
            f.write_char(if c.is_control() { '\u{fffd}' } else { c })?;
        }
        if rest.next().is_some() || secret.is_some() { f.write_char('…') } else { Ok(()) }
    }
}
