//! The publications that wait for the writer.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use parking_lot::{Condvar, Mutex};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use crate::append::Answered;
use shared::backplane::{Publication, PublishError};

/// The most publications that are not answered yet. Their bytes are bounded by those who take them from clients.
const ROOM: usize = 4096;

/// The most messages of one transaction, unless one publication has more.
const MAX_MESSAGES: usize = 1000;

/// The most bytes of one transaction, unless one publication has more.
const MAX_BYTES: usize = 4 << 20;

/// The publications that wait for the writer, in order.
pub(crate) struct Queue {
    waiting: Mutex<Waiting>,
    changed: Condvar,
    room: Arc<Semaphore>,
}

#[derive(Default)]
struct Waiting {
    jobs: VecDeque<Job>,
    /// No more publications are taken.
    closed: bool,
}

/// A publication that waits, and its publisher.
pub(crate) struct Job {
    pub(crate) publication: Publication,
    pub(crate) publisher: Publisher,
}

/// The way back to a publisher. It keeps its place among those that wait until it is answered.
pub(crate) struct Publisher {
    answer: oneshot::Sender<Answered>,
    _place: OwnedSemaphorePermit,
}

impl Job {
    pub(crate) fn parts(self) -> (Publisher, Publication) {
        (self.publisher, self.publication)
    }
}

impl Publisher {
    /// Answers the publisher, unless it has gone.
    pub(crate) fn answer(self, answer: Answered) {
        let _ = self.answer.send(answer);
    }
}

/// The reason for which the writer is woken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    Publications,
    Due,
    Closed,
}

impl Queue {
    pub(crate) fn new() -> Self {
        Self { waiting: Mutex::default(), changed: Condvar::new(), room: Arc::new(Semaphore::new(ROOM)) }
    }

    /// Hands a publication to the writer, once there is room, and waits for the answer.
    pub(crate) async fn publish(&self, publication: Publication) -> Answered {
        let refused = || Err(PublishError::NotReady("shutting down".into()));
        // An error means that the queue is closed.
        let Ok(place) = Arc::clone(&self.room).acquire_owned().await else { return refused() };
        let (answer, answered) = oneshot::channel();
        {
            let mut waiting = self.waiting.lock();
            if waiting.closed {
                return refused();
            }
            waiting.jobs.push_back(Job { publication, publisher: Publisher { answer, _place: place } });
        }
        self.changed.notify_one();
        answered.await.unwrap_or_else(|_| Err(PublishError::InDoubt("the writer has ended".to_owned())))
    }

    /// Waits until there are publications, until a point in time, or until the queue is closed and empty.
    pub(crate) fn wait(&self, due: Instant) -> Next {
        let mut waiting = self.waiting.lock();
        loop {
            if !waiting.jobs.is_empty() {
                return Next::Publications;
            }
            if waiting.closed {
                return Next::Closed;
            }
            if self.changed.wait_until(&mut waiting, due).timed_out() && waiting.jobs.is_empty() && !waiting.closed {
                return Next::Due;
            }
        }
    }

    /// Takes as many publications as one transaction may have.
    pub(crate) fn take(&self) -> Vec<Job> {
        let mut waiting = self.waiting.lock();
        let (mut messages, mut bytes) = (0, 0);
        let fitting = waiting.jobs.iter().take_while(|job| {
            let first = messages == 0;
            messages += job.publication.drafts.len();
            bytes += job.publication.drafts.iter().map(|draft| draft.bytes()).sum::<usize>();
            first || (messages <= MAX_MESSAGES && bytes <= MAX_BYTES)
        });
        let count = fitting.count();
        waiting.jobs.drain(..count).collect()
    }

    /// Takes all publications that wait.
    pub(crate) fn take_all(&self) -> Vec<Job> {
        self.waiting.lock().jobs.drain(..).collect()
    }

    /// Takes no more publications.
    pub(crate) fn close(&self) {
        self.waiting.lock().closed = true;
        self.room.close();
        self.changed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures_util::FutureExt;
    use shared::message::Draft;
    use shared::topic::Topic;

    use super::*;

    fn publication(messages: usize, bytes: usize) -> Publication {
        let drafts = (0..messages).map(|_| Draft::text("x".repeat(bytes))).collect();
        Publication::new(Topic::default(), drafts, None)
    }

    /// Publishes without waiting for the answers, and returns the sizes of the transactions.
    fn transactions(publications: &[(usize, usize)]) -> Vec<usize> {
        let queue = Queue::new();
        let mut waiting: Vec<_> = publications
            .iter()
            .map(|(messages, bytes)| Box::pin(queue.publish(publication(*messages, *bytes))))
            .collect();
        waiting.iter_mut().for_each(|publishing| assert!(publishing.now_or_never().is_none()));
        let mut sizes = Vec::new();
        while queue.wait(Instant::now()) == Next::Publications {
            sizes.push(queue.take().len());
        }
        sizes
    }

    #[test]
    fn a_transaction_is_bounded_and_takes_at_least_one_publication() {
        assert_eq!(transactions(&[(1, 1); 1500]), [1000, 500]);
        assert_eq!(transactions(&[(600, 1); 3]), [1, 1, 1]);
        assert_eq!(transactions(&[(5000, 1), (1, 1), (1, 5 << 20), (1, 1)]), [1, 1, 1, 1]);
        assert_eq!(transactions(&[(1, 1 << 20); 5]), [4, 1]);
    }

    #[tokio::test]
    async fn nothing_that_was_taken_is_dropped_when_it_closes() {
        let queue = Queue::new();
        let mut taken = Box::pin(queue.publish(publication(1, 1)));
        assert!((&mut taken).now_or_never().is_none());
        queue.close();
        assert!(matches!(queue.publish(publication(1, 1)).await, Err(PublishError::NotReady(_))));
        let due = Instant::now() + Duration::from_secs(60);
        assert_eq!(queue.wait(due), Next::Publications, "it is finished first");
        for job in queue.take_all() {
            job.publisher.answer(Err(PublishError::KeyReused));
        }
        assert!(matches!(taken.await, Err(PublishError::KeyReused)));
        assert_eq!(queue.wait(due), Next::Closed);
    }
}
