//! A server that makes the mistakes that a measurement has to find.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use bench::target::Method;

/// A mistake towards the first client alone, and only after messages have gone well for a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mistake {
    Nothing,
    Forgets,
    Repeats,
    Swaps,
    /// Closes the connection.
    Closes,
}

/// The number of the message that the mistake concerns.
const VICTIM: usize = 12;

#[derive(Debug)]
struct Hub {
    mistake: Mistake,
    method: Method,
    published: usize,
    clients: Vec<TcpStream>,
    /// The message that is sent too late.
    kept: Vec<u8>,
}

/// Starts a server of Server-Sent Events or WebSocket.
pub(crate) fn start(method: Method, mistake: Mistake) -> SocketAddr {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let address = listener.local_addr().expect("an address");
    let hub = Hub { mistake, method, published: 0, clients: Vec::new(), kept: Vec::new() };
    let hub = Arc::new(Mutex::new(hub));
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let hub = Arc::clone(&hub);
            // Connections that end are ignored.
            thread::spawn(move || serve(stream, &hub));
        }
    });
    address
}

fn serve(stream: TcpStream, hub: &Mutex<Hub>) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut stream = stream;
    loop {
        let (mut first, mut length) = (String::new(), 0);
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line)? == 0 {
                return Ok(());
            }
            let line = line.trim().to_ascii_lowercase();
            if let Some(value) = line.strip_prefix("content-length:") {
                length = value.trim().parse().unwrap_or(0);
            }
            if line.is_empty() {
                break;
            }
            if first.is_empty() {
                first = line;
            }
        }
        let mut text = vec![0; length];
        reader.read_exact(&mut text)?;
        let mut hub = hub.lock().expect("nobody panics");
        if first.starts_with("get") {
            stream.write_all(match hub.method {
                Method::Ws => b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n".as_slice(),
                _ => b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n",
            })?;
            hub.clients.push(stream.try_clone()?);
        } else {
            hub.publish(&String::from_utf8_lossy(&text))?;
            stream.write_all(b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n")?;
        }
    }
}

impl Hub {
    fn publish(&mut self, text: &str) -> std::io::Result<()> {
        self.published += 1;
        let bytes = self.encode(text);
        for index in 0..self.clients.len() {
            let mistake = if index == 0 { self.mistake } else { Mistake::Nothing };
            let write = match (mistake, self.published) {
                (Mistake::Forgets, VICTIM) => Vec::new(),
                (Mistake::Repeats, VICTIM) => [&bytes[..], &bytes[..]].concat(),
                (Mistake::Swaps, VICTIM) => {
                    self.kept = bytes.clone();
                    Vec::new()
                }
                (Mistake::Swaps, _) => [&bytes[..], &std::mem::take(&mut self.kept)[..]].concat(),
                (Mistake::Closes, VICTIM) => {
                    self.clients[index].shutdown(std::net::Shutdown::Both)?;
                    continue;
                }
                (Mistake::Closes, VICTIM..) => continue,
                _ => bytes.clone(),
            };
            self.clients[index].write_all(&write)?;
        }
        Ok(())
    }

    fn encode(&self, text: &str) -> Vec<u8> {
        match self.method {
            Method::Ws => [&[0x81, u8::try_from(text.len()).expect("a short text")], text.as_bytes()].concat(),
            _ => format!("data: {text}\n\n").into_bytes(),
        }
    }
}
