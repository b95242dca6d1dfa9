//! What a person can do with the services, said when they are there.

use std::{
    net::SocketAddr,
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
    port: u16,
    is_tls: bool,
}

impl Place {
    /// The one that a line of a service's log names, in text or in JSON, if it does.
    fn of(line: &[u8]) -> Option<Self> {
        let line = str::from_utf8(line).ok()?;
        let (_, address) = line.contains("listening").then(|| line.split_once("address"))??;
        let address = address.trim_start_matches(['"', ':', '=']).split(['"', ' ']).next()?;
        let is_tls = line.contains("tls=true") || line.contains("\"tls\":true");
        Some(Self { port: address.parse::<SocketAddr>().ok()?.port(), is_tls })
    }

    fn url(self, scheme: &str) -> String {
        format!("{scheme}{}://localhost:{}", if self.is_tls { "s" } else { "" }, self.port)
    }
}

/// Waits for the services, and then says what there is to open.
#[derive(Debug)]
pub(super) struct Guide {
    begin: Instant,
    places: [Place; 3],
    heard: usize,
    news: Receiver<(usize, Place)>,
    sender: Sender<(usize, Place)>,
    is_done: bool,
}

impl Guide {
    pub(super) fn new() -> Self {
        let places = SERVICES.map(|(_, port)| Place { port, is_tls: false });
        let (sender, news) = mpsc::channel();
        Self { begin: Instant::now(), places, heard: 0, news, sender, is_done: false }
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
            self.places[service] = place;
            self.heard += 1;
        }
        let is_ready = self.heard >= self.places.len() || self.begin.elapsed() > PATIENCE;
        if is_ready && !self.is_done {
            self.is_done = true;
            lines(self.places).iter().for_each(|line| own.print(line));
        }
    }
}

fn lines(places: [Place; 3]) -> Vec<String> {
    let mut lines = vec![format!("open {}/compare to see the three methods side by side", places[0].url("http"))];
    for (place, method) in places.into_iter().zip(METHODS) {
        lines.push(format!("  or {}/ for {method} alone", place.url("http")));
    }
    lines.push(format!("publish with: curl -d 'Hello' {}/messages", places[0].url("http")));
    lines.push("Ctrl-C stops the services".to_owned());
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_names_the_place() {
        let text =
            "2026-11-26T09:55:22Z  INFO serving::server: listening address=[::]:3001 tls=false max_connections=1";
        let json = r#"{"level":"INFO","message":"listening","address":"127.0.0.1:8443","tls":true}"#;
        assert_eq!(Place::of(text.as_bytes()), Some(Place { port: 3001, is_tls: false }));
        assert_eq!(Place::of(json.as_bytes()), Some(Place { port: 8443, is_tls: true }));
        assert_eq!(Place::of(b"INFO serving: draining connections=0"), None);
    }

    #[test]
    fn compare_comes_first() {
        let mut places = SERVICES.map(|(_, port)| Place { port, is_tls: false });
        places[2].is_tls = true;
        assert_eq!(
            lines(places),
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
