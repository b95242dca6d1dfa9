//! `GET /`, upgraded: every message comes back, a text with a prefix.

use std::fmt::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;
use std::time::SystemTime;

use serving::app::App;
use serving::http::{Answer, ApiError, Request};
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};
use tracing::{debug, info};

use crate::close::Close;
use crate::frame;
use crate::session::{self, Conversation, Message, Next, Session};

/// How many characters of a message are logged.
const LOGGED: usize = 200;

/// How many messages are logged at info in a second; the rest is logged at debug.
const LOGGED_A_SECOND: u64 = 100;

/// How many bytes of answers are written at once.
const ANSWERS: usize = 64 * 1024;

/// Answers a request for the echo.
pub(crate) async fn open(app: Arc<App>, request: Request, prefix: Arc<str>) -> Result<Answer, ApiError> {
    let limit = app.max_message_bytes();
    session::open(app, request, limit, Echo { prefix }).await
}

struct Echo {
    prefix: Arc<str>,
}

impl Conversation for Echo {
    async fn run(self, session: &mut Session) -> Close {
        info!("客户端连接成功");
        let close = run(session, &self.prefix).await;
        info!("客户端断开连接");
        close
    }
}

async fn run(session: &mut Session, prefix: &str) -> Close {
    loop {
        let result = match session.next(|_| Poll::Pending).await {
            Ok(Next::Message(message)) => answer(session, prefix, message).await,
            Ok(Next::Released) => return Close::Restart,
            Ok(Next::News) => continue,
            Err(close) => return close,
        };
        if let Err(close) = result {
            return close;
        }
    }
}

/// Answers a message, and in the same write those that came with it.
async fn answer(session: &mut Session, prefix: &str, first: Message) -> Result<(), Close> {
    let mut answers = Vec::new();
    let mut message = Some(first);
    let mut end = Ok(());
    while let Some(received) = message.take() {
        match received {
            Message::Text(text) => {
                log(format_args!("{}", Loggable(&text)));
                frame::put(&mut answers, OpCode::Data(Data::Text), &[prefix.as_bytes(), text.as_bytes()]);
            }
            Message::Binary(bytes) => {
                log(format_args!("{} 字节", bytes.len()));
                frame::put(&mut answers, OpCode::Data(Data::Binary), &[&bytes]);
            }
        }
        if answers.len() < ANSWERS {
            match session.received(&mut answers) {
                Ok(next) => message = next,
                Err(close) => end = Err(close),
            }
        }
    }
    session.send_frames([&answers[..]]).await?;
    end
}

/// Logs a message: at info, unless so many come that the log would cost more than the echo.
fn log(message: fmt::Arguments<'_>) {
    if is_among_the_first() {
        info!("接收到消息：{message}");
    } else {
        debug!("接收到消息：{message}");
    }
}

/// Whether fewer than [`LOGGED_A_SECOND`] were logged in this second.
fn is_among_the_first() -> bool {
    /// The second, and how many in it.
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let second = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs()) << 32;
    let logged = COUNT.load(Ordering::Relaxed);
    if logged >= second + LOGGED_A_SECOND {
        return false;
    }
    // Two at once may count as one, which makes a line more.
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
