//! The writer: the thread by which publications get into the file, all that wait in one transaction.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rusqlite::Transaction;

use crate::append::{Answered, Append, Appended};
use crate::bells::Bells;
use crate::commits::{Commits, answer};
use crate::database::Database;
use crate::history_row::HistoryRow;
use crate::local_history::LocalHistory;
use crate::queue::{Job, Next, Publisher, Queue};
use crate::replica::Replica;
use crate::retention::Retention;
use crate::trouble::Trouble;
use shared::wall_clock::WallClock;

/// The interval between two looks at what the limits no longer allow.
const STEP: Duration = Duration::from_millis(250);

/// The interval between two attempts to write where that has failed.
const PROBE: Duration = Duration::from_secs(1);

/// The interval between two measurements of the files.
const MEASUREMENT: Duration = Duration::from_secs(1);

/// The interval between two searches for topics that other processes have left over their limit.
const LOOK: Duration = Duration::from_secs(30);

/// Writes publications, and evicts between them what the limits no longer allow.
pub(crate) struct Writer {
    pub(crate) database: Arc<Database>,
    pub(crate) replica: Arc<Replica>,
    pub(crate) queue: Arc<Queue>,
    pub(crate) local: Arc<LocalHistory>,
    pub(crate) commits: Arc<Commits>,
    pub(crate) bells: Bells,
    pub(crate) retention: Retention,
    pub(crate) limits: WriterLimits,
    pub(crate) wall_clock: Arc<dyn WallClock>,
}

/// The limits that the writer applies by itself.
#[derive(Debug, Clone, Copy)]
pub(crate) struct WriterLimits {
    /// Messages of each topic.
    pub(crate) messages: usize,
    /// Bytes that a topic may have before its messages go first.
    pub(crate) share: u64,
    /// Idempotency keys.
    pub(crate) keys: usize,
}

impl Writer {
    /// Writes until the queue is closed, and everything that was in it.
    pub(crate) fn run(mut self) {
        let mut look = Instant::now();
        let (mut step, mut measurement) = (look, look);
        loop {
            let next = self.queue.wait(step);
            if next == Next::Closed {
                return;
            }
            if next == Next::Publications {
                self.write();
            }
            let now = Instant::now();
            if now >= measurement {
                self.replica.figures.measure(self.database.directory());
                measurement = now + MEASUREMENT;
            }
            if now >= step {
                if now >= look {
                    self.look();
                    look = now + LOOK;
                }
                let more = self.step();
                step = match (more, self.replica.is_unwritable()) {
                    (_, true) => Instant::now() + PROBE,
                    // The next publications come first, if there are any.
                    (true, false) => Instant::now(),
                    (false, false) => Instant::now() + STEP,
                };
            }
        }
    }

    /// Writes the publications that wait, in one transaction, and has them answered.
    fn write(&mut self) {
        let mut publishers = Vec::new();
        match self.commit(&mut publishers) {
            Ok((appended, answers)) => {
                self.replica.set_writable();
                let Appended { before, batch, .. } = appended;
                let answers = publishers.into_iter().zip(answers).collect();
                // Visible before the answers, so that their publishers find the messages.
                if self.local.take(before, batch) {
                    answer(answers);
                } else {
                    self.commits.add(answers);
                    self.bells.ring_own();
                }
                self.bells.ring_others();
            }
            Err(trouble) => {
                if !matches!(trouble, Trouble::WentBack | Trouble::Replaced | Trouble::Stopped) {
                    self.fail(&trouble);
                }
                // Those that are not in the transaction have waited for as long, and would wait for the same.
                let refusal = || Err(trouble.refusal());
                publishers.into_iter().for_each(|publisher| publisher.answer(refusal()));
                let not_begun = || Err(shared::backplane::PublishError::NotReady(trouble.reason()));
                self.queue.take_all().into_iter().for_each(|job| job.publisher.answer(not_begun()));
                self.bells.ring_own();
                self.bells.ring_others();
            }
        }
    }

    /// Takes publications, whose publishers come into `publishers`, and commits them. Returns an answer for each.
    fn commit(&mut self, publishers: &mut Vec<Publisher>) -> Result<(Appended, Vec<Answered>), Trouble> {
        self.replica.accepts_publications().map_err(|_| Trouble::Unsynced)?;
        let Self { database, replica, queue, retention, limits, wall_clock, .. } = self;
        database.write(|transaction| {
            let row = HistoryRow::read(&transaction)?;
            let reached = replica.progress.reached();
            if row.epoch == reached.epoch && row.last < reached.offset {
                // The follower is about to begin a new epoch.
                return Err(Trouble::WentBack);
            }
            // Taken only now, so that all that have come while this waited for the lock are in it.
            let (taken, publications): (Vec<_>, Vec<_>) = queue.take().into_iter().map(Job::parts).unzip();
            *publishers = taken;
            let mut append = Append::new(&transaction, row, limits.keys, wall_clock.now())?;
            let answers = publications.into_iter().map(|publication| append.add(publication));
            let answers = answers.collect::<Result<Vec<_>, _>>()?;
            let mut appended = append.finish(limits.messages, limits.share)?;
            commit(transaction, replica)?;
            retention.note(std::mem::take(&mut appended.over));
            Ok((appended, answers))
        })
    }

    fn look(&mut self) {
        let retention = &mut self.retention;
        if let Err(trouble) = self.database.read(|connection| Ok(retention.look(connection)?)) {
            tracing::debug!(%trouble, "topics over their limit cannot be looked for now");
        }
    }

    /// Evicts, if there is something to evict or the file could not be written before. Returns whether there is more.
    fn step(&mut self) -> bool {
        let probing = self.replica.is_unwritable();
        if self.replica.accepts_publications().is_err() {
            return false;
        }
        let Self { database, replica, retention, .. } = self;
        let due = probing || database.read(|connection| Ok(retention.is_due(connection)?)).unwrap_or_default();
        if !due {
            return false;
        }
        let stepped = database.write(|transaction| {
            let more = retention.step(&transaction)?;
            commit(transaction, replica)?;
            Ok(more)
        });
        match stepped {
            Ok(more) => {
                self.replica.set_writable();
                more
            }
            Err(Trouble::Replaced | Trouble::Stopped) => false,
            Err(trouble) => {
                self.fail(&trouble);
                false
            }
        }
    }

    /// Records that writing has failed.
    fn fail(&self, trouble: &Trouble) {
        self.replica.figures.count_failure(trouble);
        self.replica.set_unwritable(trouble);
    }
}

/// Commits a transaction, and measures that.
fn commit(transaction: Transaction<'_>, replica: &Replica) -> Result<(), Trouble> {
    let began = Instant::now();
    transaction.commit().map_err(Trouble::at_commit)?;
    replica.figures.commits.add(began.elapsed());
    Ok(())
}

impl Drop for Writer {
    /// Lets the follower end, even if the writer has panicked.
    fn drop(&mut self) {
        self.commits.close();
        self.bells.ring_own();
    }
}
