//! WebSockets over HTTP/2 (RFC 8441).

use std::future::poll_fn;
use std::time::{Duration, Instant};

use bytes::Bytes;
use h2::ext::Protocol;
use h2::{RecvStream, SendStream};
use testkit::tls::Identity;
use testkit::{Server, soon};
use warp::http::{Method, Request, StatusCode};

use crate::helpers::spawn_app;

/// A WebSocket whose frames a test reads and writes by itself.
struct WebSocket {
    sender: SendStream<Bytes>,
    receiver: RecvStream,
    _connection: tokio::task::JoinHandle<Result<(), h2::Error>>,
}

impl WebSocket {
    /// Opens the echo, with a window of so many bytes.
    async fn open(identity: &Identity, address: std::net::SocketAddr, window: u32) -> Self {
        let tls = identity.connect_http2(address).await.unwrap();
        let client = h2::client::Builder::new().initial_window_size(window).handshake(tls);
        let (mut requests, connection) = soon(client).await.unwrap();
        let connection = tokio::spawn(connection);
        // The settings of the service, which allow it, have come with its first answer.
        let probe = Request::head(format!("https://{address}/livez")).body(()).unwrap();
        poll_fn(|cx| requests.poll_ready(cx)).await.unwrap();
        let (answer, _) = requests.send_request(probe, true).unwrap();
        assert_eq!(soon(answer).await.unwrap().status(), StatusCode::OK);
        assert!(requests.is_extended_connect_protocol_enabled());
        let mut request = Request::new(());
        *request.method_mut() = Method::CONNECT;
        *request.uri_mut() = format!("https://{address}/").parse().unwrap();
        request.headers_mut().insert("sec-websocket-version", "13".parse().unwrap());
        request.extensions_mut().insert(Protocol::from_static("websocket"));
        poll_fn(|cx| requests.poll_ready(cx)).await.unwrap();
        let (answer, sender) = requests.send_request(request, false).unwrap();
        let answer = soon(answer).await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        Self { sender, receiver: answer.into_body(), _connection: connection }
    }

    fn send(&mut self, frame: &'static [u8]) {
        self.sender.send_data(Bytes::from_static(frame), false).unwrap();
    }

    /// Reads so many bytes, and opens the window again.
    async fn read(&mut self, bytes: usize) {
        let mut read = 0;
        while read < bytes {
            let data = self.receiver.data().await.expect("more is to come").expect("it comes");
            read += data.len();
            self.receiver.flow_control().release_capacity(data.len()).expect("it was taken");
        }
    }

    /// The bytes up to the end, in order or not. The window is not opened again.
    async fn rest(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        while let Some(Ok(data)) = soon(self.receiver.data()).await {
            rest.extend_from_slice(&data);
        }
        rest
    }
}

/// A frame that is not masked, which a client may not send.
const UNMASKED: &[u8] = b"\x81\x01a";

/// A close frame of code 1002, without its reason.
const PROTOCOL_ERROR: [u8; 2] = 1002_u16.to_be_bytes();

const CLOSE_TIMEOUT: Duration = Duration::from_millis(300);

/// Starts the service, which has all the time but for closing.
async fn start(identity: &Identity) -> Server {
    let files = identity.flags();
    let times = ["--drain", "0", "--close-timeout", "300ms", "--write-timeout", "1h", "--idle-timeout", "1h"];
    spawn_app(&[&[files[0].as_str(), &files[1]], &times[..]].concat()).await
}

/// The messages of a WebSocket are no flood of frames, which would take longer than anything is waited for.
#[tokio::test]
async fn large_messages_come_back_without_a_rest() {
    const MESSAGES: usize = 80;
    const LENGTH: u16 = 60_000;
    let identity = Identity::new();
    let server = start(&identity).await;
    let mut ws = WebSocket::open(&identity, server.address(), 1 << 20).await;
    let [high, low] = LENGTH.to_be_bytes();
    let frame = [&[0x82, 0xfe, high, low, 0, 0, 0, 0][..], &[b'x'; LENGTH as usize]].concat();
    for _ in 0..MESSAGES {
        ws.sender.send_data(Bytes::from(frame.clone()), false).unwrap();
    }
    soon(ws.read(MESSAGES * usize::from(LENGTH))).await;
}

#[tokio::test]
async fn a_close_says_why_and_ends_the_stream() {
    let identity = Identity::new();
    let server = start(&identity).await;
    let mut ws = WebSocket::open(&identity, server.address(), 65_535).await;
    ws.send(UNMASKED);
    let rest = ws.rest().await;
    assert_eq!((rest[0], &rest[2..4]), (0x88, &PROTOCOL_ERROR[..]));
}

#[tokio::test]
async fn a_close_that_the_client_does_not_take_ends_after_the_close_timeout() {
    let identity = Identity::new();
    let server = start(&identity).await;
    let mut ws = WebSocket::open(&identity, server.address(), 0).await;
    let began = Instant::now();
    ws.send(UNMASKED);
    assert_eq!(ws.rest().await, b"");
    assert!(began.elapsed() >= CLOSE_TIMEOUT, "{:?}", began.elapsed());
}
