//! `GET /`, upgraded: every message comes back, a text with a prefix.

use std::pin::pin;
use std::sync::Arc;

use futures_util::SinkExt;
use shared::app::App;
use shared::http::{ApiError, Request};
use tokio_tungstenite::tungstenite::Message;
use tracing::info;
use warp::reply::Response;

use crate::close::Close;
use crate::session::{self, Conversation, Session};

/// How many characters of a message are logged.
const LOGGED: usize = 200;

/// Answers a request for the echo. Returns only if there is none to be had.
pub(crate) async fn open(app: Arc<App>, request: Request, prefix: Arc<str>) -> Result<Response, ApiError> {
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
    let app = Arc::clone(&session.app);
    let mut released = pin!(app.drain.released());
    loop {
        let message = tokio::select! {
            biased;
            () = &mut released => return Close::Restart,
            message = session.receive() => message,
        };
        let sent = match message {
            Ok(Message::Text(text)) => {
                info!("接收到消息：{}", loggable(&text));
                session.send(format!("{prefix}{text}")).await
            }
            Ok(binary) => {
                info!("接收到消息：{} 字节", binary.len());
                session.websocket.send(binary).await.map_err(Close::from)
            }
            Err(close) => return close,
        };
        if let Err(close) = sent {
            return close;
        }
    }
}

/// The beginning of a text, such that it stays on its line of the log.
fn loggable(text: &str) -> String {
    let cut = if text.chars().nth(LOGGED).is_some() { "…" } else { "" };
    let shown = text.chars().take(LOGGED).map(|c| if c.is_control() { '\u{fffd}' } else { c });
    shown.chain(cut.chars()).collect()
}
