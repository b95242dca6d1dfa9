//! Long polling: `/poll`.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::timeout;

use super::query::query;
use super::received::Received;
use super::silence::{BEGINNING, silent};
use crate::connection::{Method, Service, Trouble};
use crate::message::Page;

/// The seconds for which a poll asks to be held.
const WAIT: u64 = 25;

/// The position of a client that polls.
#[derive(Debug)]
pub(crate) struct Poll {
    service: Service,
    topics: Vec<String>,
    cursor: String,
    come: VecDeque<Received>,
}

impl Poll {
    pub(super) async fn open(service: &Service, topics: &[String], since: &str) -> Result<(Self, String), Trouble> {
        let mut poll =
            Self { service: service.clone(), topics: topics.to_vec(), cursor: since.to_owned(), come: VecDeque::new() };
        // It is not held: if it were cut, there would be no position to go on from.
        poll.ask(0).await?;
        let begin = match poll.come.front() {
            // Nothing else has come.
            Some(Received::Position(cursor)) => cursor.clone(),
            // The messages that have come are still to be taken.
            _ => since.to_owned(),
        };
        Ok((poll, begin))
    }

    pub(super) async fn next(&mut self) -> Result<Received, Trouble> {
        if self.come.is_empty() {
            self.ask(WAIT).await?;
        }
        Ok(self.come.pop_front().unwrap_or_else(|| Received::Position(self.cursor.clone())))
    }

    pub(super) fn has_more(&self) -> bool {
        !self.come.is_empty()
    }

    async fn ask(&mut self, wait: u64) -> Result<(), Trouble> {
        let seconds = wait.to_string();
        let query = query(&self.topics, &self.cursor).into_iter().chain([("wait", seconds.as_str())]);
        let asked = self.service.json(self.service.get(self.service.url("/poll", query)));
        let patience = Duration::from_secs(wait) + BEGINNING;
        let page: Page = timeout(patience, asked).await.map_err(|_| silent(Method::Poll, patience))??;
        self.come.extend(page.gap.map(Received::Gap));
        self.come.extend(page.messages.into_iter().map(Received::Message));
        // The page may end behind its last message.
        self.come.push_back(Received::Position(page.cursor.clone()));
        self.cursor = page.cursor;
        Ok(())
    }
}
