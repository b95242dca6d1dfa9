//! HTTP/2 (RFC 9113), to clients that we did not write.

use std::future::poll_fn;
use std::time::{Duration, Instant};

use bytes::Bytes;
use h2::client::SendRequest;
use http::{Method, Request, StatusCode, Version};
use serde_json::Value;
use testkit::soon;
use testkit::tls::Identity;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::service::Service;

async fn start(identity: &Identity, flags: &[&str]) -> Service {
    let files = identity.flags();
    Service::start(&[&[files[0].as_str(), &files[1]], flags].concat()).await
}

fn url(service: &Service, path: &str) -> String {
    format!("https://{}{path}", service.address())
}

/// A connection whose requests a test makes frame by frame.
struct Connection {
    requests: SendRequest<Bytes>,
    ended: tokio::task::JoinHandle<Result<(), h2::Error>>,
}

impl Connection {
    async fn open(identity: &Identity, service: &Service) -> Self {
        let tls = identity.connect_http2(service.address()).await.unwrap();
        let (requests, connection) = soon(h2::client::handshake(tls)).await.unwrap();
        Self { requests, ended: tokio::spawn(connection) }
    }

    fn get(path: &str) -> Request<()> {
        Request::builder().method(Method::GET).uri(format!("https://127.0.0.1{path}")).body(()).unwrap()
    }

    /// The status of an answer to a request without a body.
    async fn status(&mut self, request: Request<()>) -> Result<StatusCode, h2::Error> {
        poll_fn(|cx| self.requests.poll_ready(cx)).await?;
        let (answer, _) = self.requests.send_request(request, true)?;
        Ok(soon(answer).await?.status())
    }
}

#[tokio::test]
async fn requests_are_answered_as_over_http_1() {
    let identity = Identity::new();
    let service = start(&identity, &["--max-body-bytes", "2 MiB"]).await;
    let client = identity.http2_client();
    let text = "x".repeat(60_000);
    let array = format!("[{}]", vec![format!(r#"{{"text":"{text}"}}"#); 25].join(","));
    let publication = client.post(url(&service, "/messages")).header("content-type", "application/json").body(array);
    let answer = soon(publication.send()).await.unwrap();
    assert_eq!((answer.status(), answer.version()), (StatusCode::CREATED, Version::HTTP_2));
    let answer = soon(client.get(url(&service, "/messages?limit=1000")).header("origin", "https://a.example").send())
        .await
        .unwrap();
    assert_eq!(answer.version(), Version::HTTP_2);
    assert_eq!(answer.headers()["access-control-allow-origin"], "*");
    let page: Value = soon(answer.json()).await.unwrap();
    let messages = page["messages"].as_array().unwrap();
    assert_eq!(messages.len(), 25);
    assert!(messages.iter().all(|message| message["text"] == text.as_str()));
    for (path, status, error) in [
        ("/nowhere", 404, "not_found"),
        ("/messages?limit=0", 400, "bad_parameter"),
        ("/messages?x=1", 400, "unknown_parameter"),
    ] {
        let answer = soon(client.get(url(&service, path)).send()).await.unwrap();
        testkit::assert_refused(answer, status, error).await;
    }
    let head = soon(client.head(url(&service, "/livez")).send()).await.unwrap();
    assert_eq!((head.status(), head.headers()["content-length"].to_str().unwrap()), (StatusCode::OK, "17"));
}

#[tokio::test]
async fn without_http_2_the_same_client_speaks_http_1() {
    let identity = Identity::new();
    let service = start(&identity, &["--http2", "off"]).await;
    let answer = soon(identity.http2_client().get(url(&service, "/livez")).send()).await.unwrap();
    assert_eq!((answer.status(), answer.version()), (StatusCode::OK, Version::HTTP_11));
    assert!(identity.connect_http2(service.address()).await.is_err(), "there is no protocol in common");
}

/// The pages of the service are of its own origin over HTTP/2 too, where a request names its host in another way.
#[tokio::test]
async fn the_own_origin_is_always_allowed() {
    let identity = Identity::new();
    let service = start(&identity, &["--allow-origin", "https://page.example"]).await;
    let ask = |origin: String| identity.http2_client().get(url(&service, "/messages")).header("origin", origin).send();
    assert_eq!(soon(ask(url(&service, ""))).await.unwrap().status(), 200);
    assert_eq!(soon(ask("https://evil.example".to_owned())).await.unwrap().status(), 403);
}

#[tokio::test]
async fn a_client_has_a_hundred_requests_at_a_time_and_headers_of_the_size_of_a_head() {
    let identity = Identity::new();
    let service = start(&identity, &[]).await;
    let mut connection = Connection::open(&identity, &service).await;
    assert_eq!(connection.status(Connection::get("/livez")).await.unwrap(), StatusCode::OK);
    // The settings of the service have come with the first answer.
    assert_eq!(connection.requests.current_max_send_streams(), 100);
    let mut large = Connection::get("/livez");
    large.headers_mut().insert("x-large", "x".repeat(60 * 1024).parse().unwrap());
    let refused = connection.status(large).await;
    assert!(refused.is_err() || refused.is_ok_and(|status| status == 431));
    service_is_well(&identity, &service).await;
}

/// A frame (RFC 9113, section 4.1).
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = (payload.len() as u32).to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// Sends frames after a beginning in good order, and returns the code of the frame by which the service ends the connection, if it does
/// before it has answered a last ping.
async fn flood(identity: &Identity, service: &Service, frames: &[u8]) -> Option<u32> {
    let tls = identity.connect_http2(service.address()).await.unwrap();
    let (mut reader, mut writer) = tokio::io::split(tls);
    let ping = frame(PING, 0, 0, b"the last");
    let all = [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", frame(SETTINGS, 0, 0, b"").as_slice(), frames, &ping].concat();
    // The service may end the connection before all of it is sent.
    let writing = tokio::spawn(async move {
        let _ = writer.write_all(&all).await;
        let _ = writer.flush().await;
        // Kept open for the answer.
        writer
    });
    let answer = async {
        loop {
            let mut head = [0; 9];
            if reader.read_exact(&mut head).await.is_err() {
                return Some(0);
            }
            let mut payload = vec![0; u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize];
            if reader.read_exact(&mut payload).await.is_err() {
                return Some(0);
            }
            match head[3] {
                GOAWAY => return Some(u32::from_be_bytes(payload[4..8].try_into().unwrap())),
                PING if payload == b"the last" => return None,
                _ => {}
            }
        }
    };
    let code = soon(answer).await;
    drop(writing);
    code
}

const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
const ENHANCE_YOUR_CALM: u32 = 11;

/// `GET https://a/` in HPACK (RFC 7541): three fields of the static table, and `:authority` as it is.
const GET: &[u8] = b"\x82\x87\x84\x41\x01a";

/// CVE-2023-44487: requests that are taken back at once cost the client its connection, and nobody else anything.
#[tokio::test]
async fn requests_that_are_taken_back_at_once_end_the_connection() {
    let identity = Identity::new();
    let service = start(&identity, &[]).await;
    let taken_back = |stream| {
        let request = frame(HEADERS, END_STREAM | END_HEADERS, stream, GET);
        [request, frame(RST_STREAM, 0, stream, &8_u32.to_be_bytes())].concat()
    };
    let frames: Vec<u8> = (0..10_000).flat_map(|number| taken_back(2 * number + 1)).collect();
    assert_eq!(flood(&identity, &service, &frames).await, Some(ENHANCE_YOUR_CALM));
    service_is_well(&identity, &service).await;
}

/// Floods of frames that are cheap to send end the connection, or are all dealt with; either way the service serves others.
#[tokio::test]
async fn floods_of_frames_hold_up_nobody() {
    let identity = Identity::new();
    let service = start(&identity, &[]).await;
    let begun = frame(HEADERS, END_STREAM, 1, GET);
    let field = frame(CONTINUATION, 0, 1, &[&b"\x00\x01x\x7f\x81\x01"[..], &[b'y'; 256]].concat());
    let continuations = [begun, field.repeat(20_000)].concat();
    assert!(flood(&identity, &service, &continuations).await.is_some(), "CVE-2024-27316: a head without an end");
    for (what, frames) in [
        ("settings", frame(SETTINGS, 0, 0, b"\x00\x04\x00\x00\xff\xff").repeat(5_000)),
        ("pings", frame(PING, 0, 0, b"........").repeat(5_000)),
        ("windows", frame(WINDOW_UPDATE, 0, 0, &1_u32.to_be_bytes()).repeat(5_000)),
        ("empty data", [frame(HEADERS, END_HEADERS, 1, GET), frame(0, 0, 1, b"").repeat(5_000)].concat()),
        ("unknown frames", frame(200, 0, 0, b"x").repeat(5_000)),
        ("priorities", frame(2, 0, 3, b"\0\0\0\0\x10").repeat(5_000)),
    ] {
        flood(&identity, &service, &frames).await;
        service_is_well(&identity, &service).await;
        assert!(service.held("main").is_empty(), "{what}");
    }
    for garbage in [&b"\0\0\0"[..], b"\xff\xff\xff\x01\x05\0\0\0\x01", b"GET / HTTP/1.1\r\nhost: a\r\n\r\n"] {
        assert!(flood(&identity, &service, &garbage.repeat(1_000)).await.is_some());
    }
    service_is_well(&identity, &service).await;
}

/// Bytes that belong to no request are read slowly, and those of a request are not.
#[tokio::test]
async fn pings_are_read_slowly_and_a_body_is_not() {
    const BYTES: usize = 640 * 1024;
    let identity = Identity::new();
    let service = start(&identity, &[]).await;
    let ping = frame(PING, 0, 0, b"........");
    let begin = Instant::now();
    assert_eq!(flood(&identity, &service, &ping.repeat(BYTES / ping.len())).await, None);
    let flooded = begin.elapsed();
    // 256 KiB at once, and 200 per second.
    assert!(flooded > Duration::from_millis(1500), "{flooded:?}");
    let body = format!("[{}]", vec![format!(r#"{{"text":"{}"}}"#, "x".repeat(60_000)); BYTES / 60_000].join(","));
    let request = identity.http2_client().post(url(&service, "/messages")).header("content-type", "application/json");
    let begin = Instant::now();
    assert_eq!(soon(request.body(body).send()).await.unwrap().status(), StatusCode::CREATED);
    assert!(begin.elapsed() < flooded, "{:?}", begin.elapsed());
}

/// A connection on which nothing is asked is closed: at first after the read time-out, and then after the idle one.
#[tokio::test]
async fn a_connection_without_requests_ends() {
    let identity = Identity::new();
    let service = start(&identity, &["--read-timeout", "100ms", "--idle-timeout", "1h"]).await;
    let unused = Connection::open(&identity, &service).await;
    assert!(soon(unused.ended).await.unwrap().is_ok());
    let service = start(&identity, &["--read-timeout", "1h", "--idle-timeout", "200ms"]).await;
    let mut used = Connection::open(&identity, &service).await;
    assert_eq!(used.status(Connection::get("/livez")).await.unwrap(), StatusCode::OK);
    assert!(soon(used.ended).await.unwrap().is_ok());
}

/// A client that takes nothing of one answer loses that one, and what it asks for besides goes on.
#[tokio::test]
async fn an_answer_that_nobody_takes_is_given_up_and_the_others_go_on() {
    let identity = Identity::new();
    let service = start(&identity, &["--write-timeout", "300ms"]).await;
    let text = "x".repeat(60_000);
    for _ in 0..10 {
        let publication = identity.http2_client().post(url(&service, "/messages")).body(text.clone());
        assert_eq!(soon(publication.send()).await.unwrap().status(), StatusCode::CREATED);
    }
    let mut connection = Connection::open(&identity, &service).await;
    poll_fn(|cx| connection.requests.poll_ready(cx)).await.unwrap();
    let (answer, _) = connection.requests.send_request(Connection::get("/messages"), true).unwrap();
    let mut body = soon(answer).await.unwrap().into_body();
    // The window is not opened again, so not all of it comes.
    let ended = async {
        loop {
            match body.data().await {
                Some(Ok(_)) => {}
                Some(Err(error)) => return error,
                None => panic!("all of it has come"),
            }
        }
    };
    assert!(soon(ended).await.reason().is_some(), "the stream is reset");
    assert_eq!(connection.status(Connection::get("/livez")).await.unwrap(), StatusCode::OK);
}

#[tokio::test]
async fn a_request_names_one_host() {
    let identity = Identity::new();
    let service = start(&identity, &[]).await;
    let mut connection = Connection::open(&identity, &service).await;
    for (host, status) in [("127.0.0.1", StatusCode::OK), ("other.example", StatusCode::BAD_REQUEST)] {
        let mut request = Connection::get("/livez");
        request.headers_mut().insert("host", host.parse().unwrap());
        assert_eq!(connection.status(request).await.unwrap(), status, "{host}");
    }
}

/// When all places are taken, a connection ends with its first answer.
#[tokio::test]
async fn a_connection_beyond_the_limit_ends_with_its_first_answer() {
    let identity = Identity::new();
    let service = start(&identity, &["--max-connections", "1", "--write-timeout", "200ms"]).await;
    let mut first = Connection::open(&identity, &service).await;
    assert_eq!(first.status(Connection::get("/livez")).await.unwrap(), StatusCode::OK);
    let mut beyond = Connection::open(&identity, &service).await;
    assert_eq!(beyond.status(Connection::get("/livez")).await.unwrap(), StatusCode::OK);
    let _ = soon(beyond.ended).await.unwrap();
    assert!(!first.ended.is_finished());
}

async fn service_is_well(identity: &Identity, service: &Service) {
    let answer = soon(identity.http2_client().get(url(service, "/livez")).send()).await.unwrap();
    assert_eq!(answer.status(), 200);
}
