//! `GET /`, upgraded: every message comes back, a text with a prefix.

use std::sync::Arc;
use std::task::Poll;

use shared::app::App;
use shared::http::{Answer, ApiError, Request};
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};
use tracing::info;

use crate::close::Close;
use crate::frame;
use crate::session::{self, Conversation, Message, Next, Session};

/// How many characters of a message are logged.
const LOGGED: usize = 200;

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
                info!("接收到消息：{}", loggable(&text));
                frame::put(&mut answers, OpCode::Data(Data::Text), &[prefix.as_bytes(), text.as_bytes()]);
            }
            Message::Binary(bytes) => {
                info!("接收到消息：{} 字节", bytes.len());
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

/// The beginning of a text, such that it stays on its line of the log.
fn loggable(text: &str) -> String {
    let cut = if text.chars().nth(LOGGED).is_some() { "…" } else { "" };
    let shown = text.chars().take(LOGGED).map(|c| if c.is_control() { '\u{fffd}' } else { c });
    shown.chain(cut.chars()).collect()
}
