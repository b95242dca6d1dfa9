//! Following topics and reading the history for clients, within their rights and limits.

use std::time::Duration;

use shared::cursor::{Cursor, Position};
use shared::hub::{Batch, BatchLimit, Format, Subscriber};
use shared::topic::{Topic, TopicFilter};
use tokio::time::timeout;

use super::{App, denied};
use crate::access::Access;
use crate::refusal::Refusal;

/// The time that a page waits for messages that memory does not hold.
const ARCHIVE_PATIENCE: Duration = Duration::from_secs(5);

impl App {
    /// Fails if a client may not follow and read all of these.
    ///
    /// # Errors
    /// [`Refusal::Denied`].
    pub fn check_subscribe(&self, filters: &[TopicFilter], access: &Access) -> Result<(), Refusal> {
        access.check_subscribe(filters).map_err(|reason| denied(reason, access.client()))
    }

    /// Follows topics from a position on.
    ///
    /// # Errors
    /// [`Refusal::Denied`] when the client may not, and [`Refusal::NotReady`] when the history is not known, or it cannot be found out whether the position is in it.
    pub async fn subscribe(
        &self,
        filters: &[TopicFilter],
        from: Position,
        access: &Access,
    ) -> Result<Subscriber, Refusal> {
        self.check_following(filters, access)?;
        // Requests at the same time can exceed it by what the threads of the runtime decide at once.
        let limit = self.config.history.max_patterns;
        let has_pattern = filters.iter().any(|filter| matches!(filter, TopicFilter::Pattern(_)));
        if has_pattern && self.hub.patterns_with(filters) > limit {
            return Err(Refusal::TooManyPatterns { limit });
        }
        if let Position::At(cursor) = from
            && cursor != Cursor::UNREADABLE
            && !self.hub.knows(cursor)
            && let Some(locating) = self.backplane.locate(cursor)
        {
            locating.await.map_err(Refusal::NotReady)?;
        }
        Ok(self.hub.subscribe(filters, from))
    }

    /// As [`Hub::subscribe_in_memory`](shared::hub::Hub::subscribe_in_memory).
    ///
    /// # Errors
    /// [`Refusal::Denied`] when the client may not, [`Refusal::NotReady`] when the history is not known, and
    /// [`Refusal::TooManyTopics`].
    pub fn subscribe_in_memory(
        &self,
        filters: &[TopicFilter],
        from: Position,
        access: &Access,
    ) -> Result<Subscriber, Refusal> {
        self.check_following(filters, access)?;
        Ok(self.hub.subscribe_in_memory(filters, from))
    }

    /// Fails if the client may not follow these, or nobody can now.
    fn check_following(&self, filters: &[TopicFilter], access: &Access) -> Result<(), Refusal> {
        self.check_subscribe(filters, access)?;
        self.backplane.known().map_err(Refusal::NotReady)?;
        self.check_topics(topics_of(filters))
    }

    /// Reads what comes next, without waiting for messages that are yet to be published: for an archive, or a search, alone.
    ///
    /// # Errors
    /// [`Refusal::NotReady`] when the archive is out of reach. The subscriber is where it was.
    pub async fn read(
        &self,
        subscriber: &mut Subscriber,
        format: &'static Format,
        limit: BatchLimit,
    ) -> Result<Batch, Refusal> {
        let batch = subscriber.read(format, limit);
        if !batch.is_empty() || !batch.more {
            return Ok(batch);
        }
        let reading = async {
            loop {
                subscriber.changed().await;
                let batch = subscriber.read(format, limit);
                if !batch.is_empty() || !batch.more {
                    return batch;
                }
            }
        };
        let out_of_reach = |_| Refusal::NotReady("older messages cannot be read now; try again".into());
        timeout(ARCHIVE_PATIENCE, reading).await.map_err(out_of_reach)
    }
}

/// The topics among filters.
fn topics_of(filters: &[TopicFilter]) -> impl Iterator<Item = &Topic> {
    filters.iter().filter_map(|filter| match filter {
        TopicFilter::Exact(topic) => Some(topic),
        TopicFilter::Pattern(_) => None,
    })
}
