//! A connection by Server-Sent Events: `/events`.

use std::collections::VecDeque;
use std::time::Duration;

use event_stream::{Block, Parser};
use reqwest::Response;
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use super::query::query;
use super::received::Received;
use super::silence::{BEGINNING, SILENCE, silence, silent};
use crate::connection::{Method, Service, Trouble};

/// A connection.
#[derive(Debug)]
pub(crate) struct Events {
    service: Service,
    response: Response,
    parser: Parser,
    silence: Duration,
    come: VecDeque<Received>,
    token_has_ended: bool,
}

impl Events {
    pub(super) async fn open(service: &Service, topics: &[String], since: &str) -> Result<(Self, String), Trouble> {
        let query = query(topics, since).into_iter().chain([("data", "json"), ("heartbeat", "1")]);
        // Without `text/event-stream` in `Accept`, a service that is full says so by a status.
        let asked = service.send(service.get(service.url("/events", query)));
        let response = timeout(BEGINNING, asked).await.map_err(|_| silent(Method::Sse, BEGINNING))??;
        let mut events = Self {
            service: service.clone(),
            response,
            parser: Parser::default(),
            silence: BEGINNING,
            come: VecDeque::new(),
            token_has_ended: false,
        };
        loop {
            if let Received::Position(cursor) = events.next().await? {
                events.silence = events.silence.max(SILENCE);
                return Ok((events, cursor));
            }
        }
    }

    pub(super) async fn next(&mut self) -> Result<Received, Trouble> {
        loop {
            if let Some(received) = self.come.pop_front() {
                return Ok(received);
            }
            let piece = timeout(self.silence, self.response.chunk()).await;
            let piece = piece.map_err(|_| silent(Method::Sse, self.silence))?;
            match piece.map_err(|error| self.service.unreachable(&error))? {
                Some(piece) => self.parser.feed(&piece),
                None if self.token_has_ended => return Err(Trouble::Cut("the token has ended".to_owned())),
                None => return Err(Trouble::Cut("the service ended the stream".to_owned())),
            }
            while let Some(block) = self.parser.next_block() {
                self.take(block)?;
            }
        }
    }

    pub(super) fn has_more(&self) -> bool {
        !self.come.is_empty()
    }

    fn take(&mut self, Block { id, event, data, .. }: Block) -> Result<(), Trouble> {
        let received = match (event.as_deref(), data) {
            (Some("heartbeat"), data) => {
                if let Some(period) = data.and_then(|data| data.parse().ok()) {
                    self.silence = silence(period);
                }
                id.map(Received::Position)
            }
            (Some("expired"), _) => {
                self.token_has_ended = true;
                None
            }
            (Some("gap"), Some(data)) => Some(Received::Gap(self.parse(&data)?)),
            (None, Some(data)) => Some(Received::Message(self.parse(&data)?)),
            (_, None) => id.map(Received::Position),
            // A later version may have events that this one does not know.
            (Some(_), Some(_)) => None,
        };
        self.come.extend(received);
        Ok(())
    }

    fn parse<T: DeserializeOwned>(&self, data: &str) -> Result<T, Trouble> {
        serde_json::from_str(data).map_err(|error| self.service.strange(&error))
    }
}
