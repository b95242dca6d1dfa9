//! A correct server of Server-Sent Events, except that it ignores `Last-Event-ID`.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

type History = watch::Sender<Vec<String>>;

pub(crate) async fn start() -> SocketAddr {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let history: Arc<History> = Arc::new(watch::channel(Vec::new()).0);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let history = Arc::clone(&history);
            // Connections that are cut are ignored.
            tokio::spawn(async move { serve(stream, &history).await.ok() });
        }
    });
    address
}

async fn serve(stream: TcpStream, history: &History) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    loop {
        let (mut first, mut length) = (String::new(), 0);
        loop {
            let mut line = String::new();
            if stream.read_line(&mut line).await? == 0 {
                return Ok(());
            }
            if let Some(value) = line.strip_prefix("content-length:") {
                length = value.trim().parse().unwrap_or(0);
            }
            match line.trim() {
                "" => break,
                line if first.is_empty() => first = line.to_owned(),
                _ => {}
            }
        }
        if first.starts_with("GET") {
            return follow(stream, history.subscribe()).await;
        }
        let mut text = vec![0; length];
        stream.read_exact(&mut text).await?;
        let mut place = 0;
        history.send_modify(|history| {
            history.push(String::from_utf8_lossy(&text).into_owned());
            place = history.len();
        });
        let receipt = format!("{{\"id\":\"e-{place}\"}}");
        let head = format!("HTTP/1.1 201 Created\r\ncontent-length: {}\r\n\r\n", receipt.len());
        stream.write_all((head + &receipt).as_bytes()).await?;
    }
}

async fn follow(mut stream: BufReader<TcpStream>, mut history: watch::Receiver<Vec<String>>) -> std::io::Result<()> {
    let mut place = history.borrow_and_update().len();
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n";
    stream.write_all(format!("{head}id: e-{place}\n\n").as_bytes()).await?;
    while history.changed().await.is_ok() {
        let new: Vec<String> = history.borrow_and_update()[place..].to_vec();
        for text in new {
            place += 1;
            stream.write_all(format!("id: e-{place}\ndata: {text}\n\n").as_bytes()).await?;
        }
    }
    Ok(())
}
