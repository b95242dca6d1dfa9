//! `GET /`, upgraded: every message comes back, a text with a prefix.

use std::fmt::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::SystemTime;

use serving::app::App;
use serving::connection::{Answer, Client, Event};
use serving::error::ApiError;
use serving::request::Request;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};
use tracing::{debug, info};

use crate::close::Close;
use crate::frame;
use crate::session::{self, Conversation, Message};

/// The number of characters of a message that are logged.
const LOGGED: usize = 200;

/// The number of messages per second that are logged at info; the rest is logged at debug.
const LOGGED_PER_SECOND: u64 = 100;

/// Answers a request for the echo.
pub(crate) async fn open(app: Arc<App>, request: Request, prefix: Arc<str>) -> Result<Answer, ApiError> {
    session::open(&request, app.max_message_bytes(), Echo { prefix, is_open: false })
}

struct Echo {
    prefix: Arc<str>,
    is_open: bool,
}

impl Conversation for Echo {
    fn begin(&mut self, _: &mut Client) {
        self.is_open = true;
        info!("客户端连接成功");
    }

    fn on_message(&mut self, message: Message, answers: &mut Vec<u8>) {
        match message {
            Message::Text(text) => {
                log(format_args!("{}", Loggable(&text)));
                frame::put(answers, OpCode::Data(Data::Text), &[self.prefix.as_bytes(), text.as_bytes()]);
            }
            Message::Binary(bytes) => {
                log(format_args!("{} 字节", bytes.len()));
                frame::put(answers, OpCode::Data(Data::Binary), &[&bytes]);
            }
        }
    }

    fn heartbeat(&mut self, _: &mut Client) {}

    fn on(&mut self, event: Event, _: &mut Client) -> Option<Close> {
        (event == Event::Released).then_some(Close::Restart)
    }

    fn poll_event(&mut self, _: &mut Context<'_>) -> Poll<Event> {
        Poll::Pending
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        if self.is_open {
            info!("客户端断开连接");
        }
    }
}

/// Logs a message: at info, unless so many come that the log would cost more than the echo.
fn log(message: fmt::Arguments<'_>) {
    if is_among_the_first() {
        info!("接收到消息：{message}");
    } else {
        debug!("接收到消息：{message}");
    }
}

/// Returns whether fewer than [`LOGGED_PER_SECOND`] were logged in this second.
fn is_among_the_first() -> bool {
    /// The second in the upper half, and the number of messages in it.
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let second = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs()) << 32;
    let logged = COUNT.load(Ordering::Relaxed);
    if logged >= second + LOGGED_PER_SECOND {
        return false;
    }
    // Two concurrent messages may count as one, so the log may get a line more.
    COUNT.store(logged.max(second) + 1, Ordering::Relaxed);
    true
}

/// The beginning of a text, such that it stays on its line of the log.
struct Loggable<'a>(&'a str);

impl fmt::Display for Loggable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0.chars();
        for c in rest.by_ref().take(LOGGED) {
            f.write_char(if c.is_control() { '\u{fffd}' } else { c })?;
        }
        if rest.next().is_some() { f.write_char('…') } else { Ok(()) }
    }
}
