//! The loop of the yardstick.

use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;

use anyhow::Context;
use mio::event::Event;
use mio::net::TcpListener;
use mio::{Events, Interest, Poll, Token};
use socket2::{Domain, Protocol, Socket, Type};

use super::connection::{Connection, Form, Role};
use super::encoding::{self, NOT_FOUND};
use super::request::{Request, request};

const LISTENER: Token = Token(usize::MAX - 1);
const BACKLOG: i32 = 4096;
const BUFFER: usize = 64 * 1024;

/// The number of messages that are kept for clients between two polls.
const KEPT: usize = 1024;

/// The server.
#[derive(Debug)]
pub struct LimitServer {
    poll: Poll,
    listener: TcpListener,
    connections: Vec<Option<Connection>>,
    free: Vec<usize>,
    events: Vec<usize>,
    frames: Vec<usize>,
    held: Vec<usize>,
    /// The newest messages, as JSON.
    kept: VecDeque<String>,
    /// The number of the newest message.
    last: u64,
    /// The bytes of an echo.
    out: Vec<u8>,
}

impl LimitServer {
    /// Listens.
    ///
    /// # Errors
    /// Fails when the address cannot be bound.
    pub fn bind(address: SocketAddr) -> anyhow::Result<Self> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        socket.set_reuse_address(true)?;
        socket.set_nonblocking(true)?;
        socket.bind(&address.into()).with_context(|| format!("listening on {address}"))?;
        socket.listen(BACKLOG)?;
        let mut listener = TcpListener::from_std(socket.into());
        let poll = Poll::new().context("epoll")?;
        poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
        Ok(Self {
            poll,
            listener,
            connections: Vec::new(),
            free: Vec::new(),
            events: Vec::new(),
            frames: Vec::new(),
            held: Vec::new(),
            kept: VecDeque::with_capacity(KEPT),
            last: 0,
            out: Vec::new(),
        })
    }

    /// The address on which it listens.
    ///
    /// # Errors
    /// Fails when the system does not give it.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves for ever.
    ///
    /// # Errors
    /// Fails when epoll fails.
    pub fn run(mut self) -> anyhow::Result<()> {
        let mut events = Events::with_capacity(1024);
        let mut buffer = vec![0; BUFFER];
        loop {
            match self.poll.poll(&mut events, None) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                other => other.context("epoll")?,
            }
            for event in events.iter() {
                if event.token() == LISTENER {
                    self.accept()?;
                } else if self.serve(event, &mut buffer).is_err() {
                    self.remove(event.token().0);
                }
            }
        }
    }

    fn accept(&mut self) -> anyhow::Result<()> {
        loop {
            let stream = match self.listener.accept() {
                Ok((stream, _)) => stream,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::ConnectionAborted => continue,
                Err(error) => return Err(error).context("accepting"),
            };
            let index = self.free.pop().unwrap_or_else(|| {
                self.connections.push(None);
                self.connections.len() - 1
            });
            self.connections[index] = Some(Connection::new(stream, Token(index), self.poll.registry())?);
        }
    }

    /// Handles an event. An error ends the connection.
    fn serve(&mut self, event: &Event, buffer: &mut [u8]) -> anyhow::Result<()> {
        let index = event.token().0;
        if event.is_writable()
            && let Some(connection) = &mut self.connections[index]
        {
            connection.flush(self.poll.registry())?;
        }
        loop {
            let Some(connection) = &mut self.connections[index] else { return Ok(()) };
            let count = match connection.read(buffer) {
                Ok(0) => return Err(io::Error::from(ErrorKind::UnexpectedEof).into()),
                Ok(count) => count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error.into()),
            };
            match connection.role {
                // Bytes that a subscriber sends are ignored.
                Role::Stream(_) => {}
                Role::Echo => self.echo(index, &mut buffer[..count])?,
                Role::Asking | Role::Held => {
                    connection.input.extend_from_slice(&buffer[..count]);
                    self.requests(index)?;
                }
            }
            if count < buffer.len() && !event.is_read_closed() {
                return Ok(());
            }
        }
    }

    fn remove(&mut self, index: usize) {
        self.forget(index);
        if self.connections[index].take().is_some() {
            self.free.push(index);
        }
    }

    fn list(&mut self, role: Role) -> Option<&mut Vec<usize>> {
        match role {
            Role::Stream(Form::Event) => Some(&mut self.events),
            Role::Stream(Form::Frame) => Some(&mut self.frames),
            Role::Held => Some(&mut self.held),
            Role::Asking | Role::Echo => None,
        }
    }

    fn take_role(&mut self, index: usize, role: Role) {
        let place = self.list(role).map_or(0, |list| {
            list.push(index);
            list.len() - 1
        });
        if let Some(connection) = &mut self.connections[index] {
            connection.role = role;
            connection.place = place;
        }
    }

    /// Removes a connection from its list.
    fn forget(&mut self, index: usize) {
        let Some(connection) = &mut self.connections[index] else { return };
        let (role, place) = (connection.role, connection.place);
        connection.role = Role::Asking;
        let Some(list) = self.list(role) else { return };
        list.swap_remove(place);
        if let Some(&moved) = list.get(place)
            && let Some(moved) = &mut self.connections[moved]
        {
            moved.place = place;
        }
    }

    fn send(&mut self, index: usize, bytes: &[u8]) -> anyhow::Result<()> {
        if let Some(connection) = &mut self.connections[index] {
            connection.send(bytes, self.poll.registry())?;
        }
        Ok(())
    }

    fn requests(&mut self, index: usize) -> anyhow::Result<()> {
        while let Some(connection) = &mut self.connections[index]
            && connection.role == Role::Asking
            && !connection.input.is_empty()
        {
            let mut input = std::mem::take(&mut connection.input);
            let parsed = request(&input)?;
            if let Some((_, length)) = parsed {
                input.drain(..length);
            }
            let Some(connection) = &mut self.connections[index] else { return Ok(()) };
            connection.input = input;
            let Some((request, _)) = parsed else { return Ok(()) };
            self.answer(index, request)?;
        }
        Ok(())
    }

    fn answer(&mut self, index: usize, request: Request) -> anyhow::Result<()> {
        match request {
            Request::Publish(text) => {
                self.publish(&text);
                self.send(index, &encoding::receipt(self.last))
            }
            Request::Follow(form, head) => {
                self.send(index, &head)?;
                self.take_role(index, Role::Stream(form));
                Ok(())
            }
            Request::Echo(head) => {
                self.send(index, &head)?;
                self.take_role(index, Role::Echo);
                Ok(())
            }
            Request::Poll(since, at_once) => {
                let new = (self.last - since.unwrap_or(self.last).min(self.last)).min(self.kept.len() as u64);
                if new == 0 && !at_once {
                    self.take_role(index, Role::Held);
                    return Ok(());
                }
                let from = self.kept.len() - usize::try_from(new)?;
                let messages: Vec<_> = self.kept.range(from..).map(String::as_str).collect();
                self.send(index, &encoding::page(&messages.join(","), self.last))
            }
            Request::Unknown => self.send(index, NOT_FOUND),
        }
    }

    fn publish(&mut self, text: &str) {
        self.last += 1;
        let json = encoding::message(self.last, text);
        let mut gone = Vec::new();
        if !self.events.is_empty() {
            let event = encoding::event(self.last, text);
            self.write(Role::Stream(Form::Event), &event, &mut gone);
        }
        if !self.frames.is_empty() {
            let mut frame = Vec::with_capacity(json.len() + 10);
            encoding::frame(&mut frame, 1, json.as_bytes());
            self.write(Role::Stream(Form::Frame), &frame, &mut gone);
        }
        if !self.held.is_empty() {
            let page = encoding::page(&json, self.last);
            self.write(Role::Held, &page, &mut gone);
            for index in std::mem::take(&mut self.held) {
                if let Some(connection) = &mut self.connections[index] {
                    connection.role = Role::Asking;
                }
            }
        }
        gone.into_iter().for_each(|index| self.remove(index));
        if self.kept.len() == KEPT {
            self.kept.pop_front();
        }
        self.kept.push_back(json);
    }

    /// Writes to every connection of a list, once to each.
    fn write(&mut self, role: Role, bytes: &[u8], gone: &mut Vec<usize>) {
        let list = self.list(role).map(std::mem::take).unwrap_or_default();
        for &index in &list {
            if let Some(connection) = &mut self.connections[index]
                && connection.send(bytes, self.poll.registry()).is_err()
            {
                gone.push(index);
            }
        }
        if let Some(place) = self.list(role) {
            *place = list;
        }
    }

    fn echo(&mut self, index: usize, bytes: &mut [u8]) -> anyhow::Result<()> {
        let Some(connection) = &mut self.connections[index] else { return Ok(()) };
        let mut input = std::mem::take(&mut connection.input);
        let mut rest = if input.is_empty() {
            bytes
        } else {
            input.extend_from_slice(bytes);
            &mut input[..]
        };
        let out = &mut self.out;
        out.clear();
        while let Some(frame) = encoding::client_frame(rest) {
            let length = frame.length;
            match frame.opcode {
                8 => anyhow::bail!("closed"),
                9 => encoding::frame(out, 10, frame.payload),
                10 => {}
                opcode => encoding::frame(out, opcode, frame.payload),
            }
            rest = &mut rest[length..];
        }
        connection.input = rest.to_vec();
        connection.send(out, self.poll.registry())?;
        Ok(())
    }
}
