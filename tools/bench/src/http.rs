//! HTTP/1.1 over one connection, without a pool and without repeats, so that a cut connection is seen at once.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::HOST;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// A connection to a server. When dropped, it is closed.
#[derive(Debug)]
pub(crate) struct Connection {
    sender: SendRequest<Full<Bytes>>,
    host: String,
    /// Drives the connection, and ends with it.
    _driver: JoinSet<()>,
}

impl Connection {
    pub(crate) async fn open(address: SocketAddr, patience: Duration) -> anyhow::Result<Self> {
        let stream = timeout(patience, TcpStream::connect(address)).await.context("connecting took too long")??;
        stream.set_nodelay(true)?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await?;
        let mut driver = JoinSet::new();
        driver.spawn(async move {
            // An error reaches whoever waits for the answer.
            let _ = connection.await;
        });
        Ok(Self { sender, host: address.to_string(), _driver: driver })
    }

    /// Sends a request and waits for the head of its answer.
    pub(crate) async fn send(
        &mut self,
        mut request: Request<Full<Bytes>>,
        patience: Duration,
    ) -> anyhow::Result<Response<Incoming>> {
        request.headers_mut().insert(HOST, self.host.parse()?);
        let answer = async {
            self.sender.ready().await?;
            self.sender.send_request(request).await
        };
        Ok(timeout(patience, answer).await.context("no answer in time")??)
    }
}

/// Reads a body to its end. `patience` is for each piece of it: a slow body is not a dead one.
pub(crate) async fn read_body(mut body: Incoming, patience: Duration) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    while let Some(frame) = timeout(patience, body.frame()).await.context("the body stopped")? {
        if let Some(data) = frame?.data_ref() {
            bytes.extend_from_slice(data);
        }
    }
    Ok(bytes)
}
