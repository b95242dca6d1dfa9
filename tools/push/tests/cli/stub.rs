//! A server that answers as a test says.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// An answer.
#[derive(Debug, Clone)]
pub(crate) enum Answer {
    /// A status, with headers (`Name: value`, each with CRLF) and a body.
    Status(u16, String, String),
    /// The connection is closed without one.
    Lost,
    /// That of a service.
    Of(SocketAddr),
}

impl Answer {
    /// The error of a push service, with `Retry-After` if there is one.
    pub(crate) fn error(status: u16, code: &str, retry_after: Option<&str>) -> Self {
        let header = retry_after.map(|value| format!("Retry-After: {value}\r\n")).unwrap_or_default();
        Self::Status(status, header, format!(r#"{{"error":"{code}","message":"no"}}"#))
    }

    /// The page of a proxy.
    pub(crate) fn page(status: u16) -> Self {
        Self::Status(status, "Content-Type: text/html\r\n".to_owned(), "<h1>no</h1>".to_owned())
    }
}

/// Answers each request by its number, from 1, and its path.
pub(crate) struct Stub {
    pub(crate) url: String,
    _task: JoinSet<()>,
}

impl Stub {
    pub(crate) async fn start(answer: impl Fn(usize, &str) -> Answer + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let mut task = JoinSet::new();
        task.spawn(async move {
            let mut connections = JoinSet::new();
            for number in 1.. {
                let (mut client, _) = listener.accept().await.unwrap();
                let request = request(&mut client).await;
                let path = std::str::from_utf8(&request).unwrap().split(' ').nth(1).unwrap();
                let answer = answer(number, path.split('?').next().unwrap());
                connections.spawn(async move {
                    // The client may have gone.
                    let _ = give(client, &request, answer).await;
                });
            }
        });
        Self { url, _task: task }
    }
}

/// Reads a request with its body.
async fn request(client: &mut TcpStream) -> Vec<u8> {
    let mut request = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&request).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            if body.len() >= length.map_or(0, |length| length.parse().unwrap()) {
                return request;
            }
        }
        assert_ne!(client.read_buf(&mut request).await.unwrap(), 0, "a whole request comes");
    }
}

async fn give(mut client: TcpStream, request: &[u8], answer: Answer) -> std::io::Result<()> {
    match answer {
        Answer::Status(status, headers, body) => {
            let length = body.len();
            let head = format!("HTTP/1.1 {status} \r\n{headers}Connection: close\r\nContent-Length: {length}\r\n\r\n");
            client.write_all((head + &body).as_bytes()).await
        }
        Answer::Lost => Ok(()),
        Answer::Of(service) => {
            let mut service = TcpStream::connect(service).await?;
            service.write_all(request).await?;
            copy_bidirectional(&mut client, &mut service).await.map(drop)
        }
    }
}
