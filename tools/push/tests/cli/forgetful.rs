//! A connection on which an answer is lost.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, copy, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// Passes connections on to a service. On the first one, the request goes through, and its answer does not.
pub(crate) struct Forgetful {
    pub(crate) url: String,
    task: JoinHandle<()>,
}

impl Forgetful {
    pub(crate) async fn start(service: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let task = tokio::spawn(async move {
            let (mut client, _) = listener.accept().await.unwrap();
            let mut server = TcpStream::connect(service).await.unwrap();
            let (mut requests, _answers) = client.split();
            let (mut from_server, mut to_server) = server.split();
            tokio::select! {
                _ = copy(&mut requests, &mut to_server) => {}
                _ = from_server.read_u8() => {}
            }
            drop(client);
            drop(server);
            while let Ok((mut client, _)) = listener.accept().await {
                let mut server = TcpStream::connect(service).await.unwrap();
                tokio::spawn(async move { copy_bidirectional(&mut client, &mut server).await });
            }
        });
        Self { url, task }
    }
}

impl Drop for Forgetful {
    fn drop(&mut self) {
        self.task.abort();
    }
}
