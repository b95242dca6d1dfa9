//! The guide to the services, which is printed when they are there: the pages to open, and how to publish.

use std::{
    array,
    net::{IpAddr, SocketAddr},
    sync::mpsc::{self, Receiver, Sender},
    time::{Duration, Instant},
};

use crate::{output::Prefix, workspace::SERVICES};

/// The names of the services' methods, in the order of the services.
const METHODS: [&str; 3] = ["WebSocket", "long polling", "Server-Sent Events"];

/// The time after which the services are taken to be there even if their logs do not say so: a flag may have made them silent.
const PATIENCE: Duration = Duration::from_secs(5);

/// The place at which a service listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place {
    /// Absent where it is this machine.
    host: Option<IpAddr>,
    port: u16,
    is_tls: bool,
}

impl Place {
    /// The one that a line of a service's log names, in text or in JSON, if it does.
    fn of(line: &[u8]) -> Option<Self> {
        let line = str::from_utf8(line).ok()?;
        // There is another line, with more words, for those who run the service.
        let (_, address) = match line.contains("\"message\":\"listening\"") {
            true => line.split_once("\"address\":\"")?,
            false => line.split_once(": listening address=")?,
        };
        let address: SocketAddr = address.split(['"', ' ']).next()?.parse().ok()?;
        let is_here = address.ip().is_unspecified() || address.ip().is_loopback();
        let is_tls = line.contains("tls=true") || line.contains("\"tls\":true");
        Some(Self { host: (!is_here).then_some(address.ip()), port: address.port(), is_tls })
    }

    fn url(self) -> String {
        let scheme = if self.is_tls { "https" } else { "http" };
        match self.host {
            None => format!("{scheme}://localhost:{}", self.port),
            Some(host) => format!("{scheme}://{}", SocketAddr::new(host, self.port)),
        }
    }
}

/// Waits for the services, and then says what there is to open.
#[derive(Debug)]
pub(super) struct Guide {
    begin: Instant,
    /// Absent until the service has said where it listens.
    places: [Option<Place>; 3],
    news: Receiver<(usize, Place)>,
    sender: Sender<(usize, Place)>,
    is_done: bool,
}

impl Guide {
    pub(super) fn new() -> Self {
        let (sender, news) = mpsc::channel();
        Self { begin: Instant::now(), places: [None; 3], news, sender, is_done: false }
    }

    /// The listener to the log of the service with that index.
    pub(super) fn listener(&self, service: usize) -> impl FnMut(&[u8]) + Send + 'static {
        let sender = self.sender.clone();
        move |line| {
            if let Some(place) = Place::of(line) {
                // Nobody listens when it is all over.
                let _ = sender.send((service, place));
            }
        }
    }

    /// Prints the guide, once, when all services are there.
    pub(super) fn print_when_ready(&mut self, own: &Prefix) {
        for (service, place) in self.news.try_iter() {
            self.places[service] = Some(place);
        }
        let is_ready = self.places.iter().all(Option::is_some) || self.begin.elapsed() > PATIENCE;
        if is_ready && !self.is_done {
            self.is_done = true;
            lines(self.places).iter().for_each(|line| own.print(line));
        }
    }
}

fn lines(places: [Option<Place>; 3]) -> Vec<String> {
    let default = SERVICES.map(|(_, port)| Place { host: None, port, is_tls: false });
    let places = array::from_fn::<_, 3, _>(|service| places[service].unwrap_or(default[service]));
    let mut lines = vec![format!("open {}/compare to see the three methods side by side", places[0].url())];
    for (place, method) in places.into_iter().zip(METHODS) {
        lines.push(format!("  or {}/ for {method} alone", place.url()));
    }
    lines.push(format!("publish with: curl -d 'Hello' {}/messages", places[0].url()));
    lines.push("Ctrl-C stops the services".to_owned());
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_names_the_place() {
        let place = |line: &str| Place::of(line.as_bytes()).map(Place::url);
        let text =
            "2026-11-26T09:55:22Z  INFO serving::server: listening address=[::]:3001 tls=false max_connections=1";
        assert_eq!(place(text).as_deref(), Some("http://localhost:3001"));
        let json = r#"{"level":"INFO","message":"listening","address":"127.0.0.1:8443","tls":true}"#;
        assert_eq!(place(json).as_deref(), Some("https://localhost:8443"));
        let elsewhere = "INFO serving::server: listening address=[2001:db8::1]:80 tls=false";
        assert_eq!(place(elsewhere).as_deref(), Some("http://[2001:db8::1]:80"));
        for other in [
            "INFO serving::server: listening for those who run the service address=127.0.0.1:9090",
            r#"{"message":"listening for those who run the service","address":"127.0.0.1:9090"}"#,
            "INFO serving: draining connections=0",
        ] {
            assert_eq!(place(other), None, "{other}");
        }
    }

    #[test]
    fn compare_comes_first() {
        let tls = Place { host: None, port: 3001, is_tls: true };
        assert_eq!(
            lines([None, None, Some(tls)]),
            [
                "open http://localhost:8080/compare to see the three methods side by side",
                "  or http://localhost:8080/ for WebSocket alone",
                "  or http://localhost:3000/ for long polling alone",
                "  or https://localhost:3001/ for Server-Sent Events alone",
                "publish with: curl -d 'Hello' http://localhost:8080/messages",
                "Ctrl-C stops the services",
            ]
        );
    }
}
