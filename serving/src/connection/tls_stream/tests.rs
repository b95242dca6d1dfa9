//! TLS over the transport in memory, with rustls as the client.

use std::io::{Read, Write};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Wake, Waker};
use std::time::Duration;

use bytes::Bytes;
use rustls::pki_types::ServerName;
use rustls::{ClientConnection, SupportedProtocolVersion};
use testkit::tls::{Identity, VERSIONS};

use super::*;
use crate::app::App;
use crate::connection::client::Client;
use crate::connection::client::tests::app;
use crate::connection::driver::Connection;
use crate::connection::peer::Peer;
use crate::connection::pipe::{self, FarEnd};
use crate::connection::transport::Transport;
use crate::routes::Routes;
use crate::tls::{Tls, TlsConfig};

/// The client's end.
struct TlsClient {
    tls: ClientConnection,
    far: FarEnd,
    has_farewell: bool,
}

/// A server that takes and sends whatever there is, and its client. The server may write `room` bytes at first.
fn pair(identity: &Identity, version: &'static SupportedProtocolVersion, room: usize) -> (TlsStream, TlsClient) {
    let files = ["cert.pem", "key.pem"].map(|name| Some(identity.path(name)));
    let [tls_cert, tls_key] = files;
    let tls = Tls::new(&TlsConfig { tls_cert, tls_key, ..TlsConfig::default() }, &Arc::default()).unwrap().unwrap();
    let name = ServerName::try_from("127.0.0.1").unwrap();
    let client = ClientConnection::new(Arc::new(identity.client_config(version)), name).unwrap();
    let (near, far) = pipe::pipe(room);
    let stream = TlsStream::new(Carrier::Memory(near), tls.begin().unwrap());
    (stream, TlsClient { tls: client, far, has_farewell: false })
}

impl TlsClient {
    /// Sends a text, and what the protocol has to send.
    fn send(&mut self, text: &[u8]) {
        self.tls.writer().write_all(text).unwrap();
        let mut records = Vec::new();
        while self.tls.wants_write() {
            self.tls.write_tls(&mut records).unwrap();
        }
        self.far.send(records);
    }

    /// Takes what the server has sent, and returns the text in it.
    fn receive(&mut self) -> Vec<u8> {
        let received = self.far.received();
        let mut received = received.as_slice();
        let mut text = Vec::new();
        while !received.is_empty() {
            self.tls.read_tls(&mut received).unwrap();
            let state = self.tls.process_new_packets().unwrap();
            self.has_farewell |= state.peer_has_closed();
            let before = text.len();
            text.resize(before + state.plaintext_bytes_to_read(), 0);
            self.tls.reader().read_exact(&mut text[before..]).unwrap();
        }
        text
    }

    /// Does the handshake with a server that `turn` has take what has come.
    fn shake_hands(&mut self, mut turn: impl FnMut()) {
        while self.tls.is_handshaking() {
            self.send(b"");
            turn();
            assert!(self.receive().is_empty());
        }
        self.send(b"");
        turn();
    }
}

/// More bytes than the server sends in a handshake and a small answer.
const MORE_THAN_SENT: usize = 10_000;

fn cx() -> Context<'static> {
    Context::from_waker(Waker::noop())
}

/// Reads up to so many bytes, if there are any.
fn read(stream: &mut TlsStream, most: usize) -> Vec<u8> {
    let mut buffer = vec![0; most];
    let mut buffer = ReadBuf::new(&mut buffer);
    match stream.poll_read(&mut cx(), &mut buffer) {
        Poll::Ready(result) => result.unwrap(),
        Poll::Pending => assert!(buffer.filled().is_empty()),
    }
    buffer.filled().to_vec()
}

fn shaken(identity: &Identity, version: &'static SupportedProtocolVersion) -> (TlsStream, TlsClient) {
    let (mut stream, mut client) = pair(identity, version, 1 << 40);
    client.shake_hands(|| drop(read(&mut stream, 1)));
    client.receive();
    (stream, client)
}

#[test]
fn a_client_that_takes_single_bytes_gets_all_in_order() {
    let identity = Identity::new();
    for version in VERSIONS {
        let (mut stream, mut client) = pair(&identity, version, 0);
        let mut sent = 0;
        while client.tls.is_handshaking() {
            sent += 1;
            assert!(sent < MORE_THAN_SENT, "nothing comes");
            client.send(b"");
            read(&mut stream, 1);
            let _ = stream.poll_readable(&mut cx());
            client.far.make_room(1);
            client.receive();
        }
        client.send(b"");
        read(&mut stream, 1);
        let text: Vec<u8> = (0..3 * TEXT).map(|n| (n % 251) as u8).collect();
        let (mut written, mut received) = (0, Vec::new());
        while written < text.len() {
            let (one, two) = text[written..].split_at((text.len() - written).min(1000));
            match stream.poll_write_parts(&mut cx(), &[IoSlice::new(one), IoSlice::new(two)]) {
                Poll::Ready(count) => written += count.unwrap(),
                Poll::Pending => client.far.make_room(1),
            }
            assert!(stream.unsent.len() <= RECORD + 4096, "one record is held, and what the handshake has left");
            received.extend(client.receive());
        }
        assert!(received == text, "{} of {} bytes", received.len(), text.len());
        assert_eq!(stream.unsent.capacity(), 0);
    }
}

struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn it_is_readable_as_long_as_there_is_text() {
    let identity = Identity::new();
    for version in VERSIONS {
        let (mut stream, mut client) = shaken(&identity, version);
        let woken = Arc::new(Woken(AtomicBool::new(false)));
        let waker = Waker::from(Arc::clone(&woken));
        assert!(stream.poll_readable(&mut Context::from_waker(&waker)).is_pending());
        client.send(b"one");
        assert!(woken.0.load(Ordering::Relaxed));
        client.send(b"two");
        let mut text = Vec::new();
        while text.len() < 6 {
            assert!(stream.poll_readable(&mut cx()).is_ready());
            text.extend(read(&mut stream, 1));
        }
        assert_eq!(text, b"onetwo");
        assert!(stream.poll_readable(&mut cx()).is_pending());
        assert_eq!(stream.opened.capacity(), 0);
    }
}

#[test]
fn a_record_may_come_in_pieces() {
    let identity = Identity::new();
    for version in VERSIONS {
        let (mut stream, mut client) = shaken(&identity, version);
        // It uses the same buffers of the thread.
        let (mut other, mut its_client) = shaken(&identity, version);
        client.tls.writer().write_all(b"text").unwrap();
        let mut record = Vec::new();
        client.tls.write_tls(&mut record).unwrap();
        for byte in record {
            assert_eq!(read(&mut stream, 9), b"");
            assert!(stream.poll_readable(&mut cx()).is_pending());
            client.far.send([byte]);
            assert!(stream.poll_readable(&mut cx()).is_ready());
            its_client.send(b"other text");
            assert_eq!(read(&mut other, 10), b"other text");
        }
        assert_eq!(read(&mut stream, 9), b"text");
        assert_eq!(stream.records.kept(), 0);
    }
}

/// A client asks so for another key of this side, too (RFC 8446, section 4.6.3).
#[test]
fn a_client_may_change_its_key_while_a_record_waits() {
    let identity = Identity::new();
    let (mut stream, mut client) = pair(&identity, &rustls::version::TLS13, 10_000);
    client.shake_hands(|| drop(read(&mut stream, 1)));
    client.receive();
    let large = vec![b'x'; 5 * TEXT];
    let mut written = 0;
    while let Poll::Ready(count) = stream.poll_write_parts(&mut cx(), &[IoSlice::new(&large[written..])]) {
        written += count.unwrap();
    }
    for round in 0..3 {
        client.tls.refresh_traffic_keys().unwrap();
        client.send(format!("text {round}").as_bytes());
        assert_eq!(read(&mut stream, 100), format!("text {round}").as_bytes());
    }
    client.far.make_room(1 << 40);
    while written < large.len() {
        let Poll::Ready(count) = stream.poll_write_parts(&mut cx(), &[IoSlice::new(&large[written..])]) else {
            panic!("there is room");
        };
        written += count.unwrap();
    }
    assert!(client.receive() == large);
}

#[test]
fn a_record_that_was_changed_on_the_way_is_an_error() {
    let identity = Identity::new();
    for version in VERSIONS {
        let (mut stream, mut client) = shaken(&identity, version);
        client.tls.writer().write_all(b"text").unwrap();
        let mut record = Vec::new();
        client.tls.write_tls(&mut record).unwrap();
        *record.last_mut().unwrap() ^= 1;
        client.far.send(record);
        let mut buffer = [0; 9];
        let outcome = stream.poll_read(&mut cx(), &mut ReadBuf::new(&mut buffer));
        assert!(matches!(outcome, Poll::Ready(Err(_))), "{outcome:?}");
        assert!(!client.far.received().is_empty(), "an alert says so");
    }
}

/// The beginning of a message, and then a record that has no place there: rustls remembers where the message is in bytes that are gone.
#[test]
fn a_handshake_that_breaks_off_in_a_message_is_an_error_and_no_panic() {
    let identity = Identity::new();
    for ends in [
        &b"\x17\x03\x03\0\x01\0"[..],
        b"\x17\x03\x03\0\0",
        b"\x16\x03\x01\0\0",
        b"hello",
        b"\x15\x03\x01\0\x02\x02\x28",
    ] {
        for in_pieces in [false, true] {
            let (mut stream, client) = pair(&identity, VERSIONS[1], 1 << 40);
            let beginning = b"\x16\x03\x01\0\x02\x01\0";
            let mut buffer = [0; 9];
            if in_pieces {
                client.far.send(beginning);
                assert!(stream.poll_read(&mut cx(), &mut ReadBuf::new(&mut buffer)).is_pending());
                client.far.send(ends);
            } else {
                client.far.send([beginning, ends].concat());
            }
            let outcome = stream.poll_read(&mut cx(), &mut ReadBuf::new(&mut buffer));
            assert!(matches!(outcome, Poll::Ready(Err(_))), "{ends:?} {outcome:?}");
            // As the connection's task ends.
            assert!(
                stream
                    .poll_write_parts(&mut cx(), &[io::IoSlice::new(b"text")])
                    .map(|written| written.is_err())
                    .is_ready()
            );
            assert!(stream.poll_shutdown(&mut cx()).is_ready());
        }
    }
}

/// A connection's task over TLS.
fn connect(
    app: &Arc<App>,
    version: &'static SupportedProtocolVersion,
    room: usize,
) -> (Pin<Box<Connection>>, TlsClient) {
    let (stream, client) = pair(&Identity::new(), version, room);
    let transport = Transport::Tls(Box::new(stream));
    let server = Client::new(transport, Peer::InMemory, Arc::clone(app), false, None);
    let routes = Routes::new(app, vec![], &[], None);
    (Box::pin(Connection::new(server, Arc::clone(app), routes, app.admission.enter())), client)
}

/// Polls the connection's task a few times. Returns whether it has ended.
fn turns(connection: &mut Pin<Box<Connection>>) -> bool {
    (0..10).any(|_| connection.as_mut().poll(&mut cx()).is_ready())
}

/// Lets time pass for the connections of an application.
async fn pass(app: &Arc<App>, time: Duration) {
    tokio::time::advance(time).await;
    let _ = tokio::time::timeout(Duration::from_millis(1), app.timers.run()).await;
}

const LAST: &[u8] = b"GET /livez HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n";

/// The farewell needs a few bytes of room, which a client that takes nothing more does not leave.
#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_take_the_farewell_is_cut_off() {
    for (version, takes_it) in VERSIONS.into_iter().flat_map(|version| [(version, true), (version, false)]) {
        let app = app(&["--write-timeout", "10s"]);
        let (mut connection, mut client) = connect(&app, version, 0);
        let mut text = Vec::new();
        let mut has_asked = false;
        let mut sent = 0;
        while !text.ends_with(br#"{"status":"live"}"#) {
            sent += 1;
            assert!(sent < MORE_THAN_SENT, "nothing comes");
            client.send(if client.tls.is_handshaking() || has_asked { b"" } else { LAST });
            has_asked |= !client.tls.is_handshaking();
            assert!(!turns(&mut connection));
            client.far.make_room(1);
            assert!(!turns(&mut connection));
            text.extend(client.receive());
        }
        pass(&app, Duration::from_secs(9)).await;
        assert!(!turns(&mut connection) && !client.far.is_closed());
        if takes_it {
            client.far.make_room(1000);
            assert!(!turns(&mut connection) && client.far.is_closed());
            client.receive();
        }
        assert_eq!(client.has_farewell, takes_it);
        pass(&app, Duration::from_secs(3)).await;
        assert!(turns(&mut connection));
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_was_not_used_ends_with_a_farewell() {
    for version in VERSIONS {
        let app = app(&["--read-timeout", "10s"]);
        let (mut connection, mut client) = connect(&app, version, 1 << 40);
        client.shake_hands(|| assert!(!turns(&mut connection)));
        pass(&app, Duration::from_secs(9)).await;
        assert!(!turns(&mut connection));
        pass(&app, Duration::from_secs(1)).await;
        assert!(turns(&mut connection));
        client.receive();
        assert!(client.has_farewell);
    }
}

/// Closing a socket with unread bytes resets it, and the client would lose its answer.
#[tokio::test(start_paused = true)]
async fn a_request_in_the_clear_is_answered_and_the_rest_of_it_passed_over() {
    for leaves in [true, false] {
        let app = app(&["--read-timeout", "10s"]);
        let (mut connection, client) = connect(&app, VERSIONS[1], 1 << 40);
        client.far.send("POST /messages HTTP/1.1\r\ncontent-length: 40000\r\n\r\n");
        assert!(!turns(&mut connection));
        assert!(client.far.received_text().contains(r#""error":"tls_required""#) && client.far.is_closed());
        client.far.send(Bytes::from(vec![b'x'; 40_000]));
        assert!(!turns(&mut connection));
        if leaves {
            client.far.leave();
        } else {
            pass(&app, Duration::from_secs(10)).await;
        }
        assert!(turns(&mut connection));
        assert!(client.far.received().is_empty());
    }
}
