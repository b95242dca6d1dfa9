//! The follower: the thread that fills the hub, with the messages of every process in the order of the file.

use std::sync::Arc;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::batch::Batch;
use crate::bells::Bell;
use crate::commits::{Commits, answer};
use crate::database::Database;
use crate::file_identity::FileIdentity;
use crate::fill;
use crate::local_history::{Filled, LocalHistory};
use crate::opening::quick_check;
use crate::replica::Replica;
use crate::stop::Stop;
use crate::trouble::Trouble;
use shared::hub::Appender;

/// The interval between evictions of old messages from memory.
const EVICTION: Duration = Duration::from_secs(1);

/// The pause after a failure.
const PAUSE: Duration = Duration::from_millis(200);

/// Fills the hub from the file.
pub(crate) struct Follower {
    pub(crate) database: Arc<Database>,
    pub(crate) replica: Arc<Replica>,
    pub(crate) commits: Arc<Commits>,
    pub(crate) local: Arc<LocalHistory>,
    /// The memory for messages, in bytes.
    pub(crate) memory: u64,
    pub(crate) bell: Bell,
    pub(crate) stop: Stop,
    /// An appender of no hub; its `renew` makes those of the file's histories.
    pub(crate) initial: Appender,
}

impl Follower {
    /// Follows until the writer has ended.
    pub(crate) fn run(self) {
        let mut evicted = Instant::now();
        loop {
            let (answers, are_last) = self.commits.take();
            let looked = self.look();
            // They are confirmed even if their messages cannot be followed now.
            answer(answers);
            if are_last {
                return;
            }
            match looked {
                Ok(()) => self.replica.set_following(),
                Err(trouble) => {
                    if matches!(trouble, Trouble::Removed | Trouble::StaleLog) {
                        // A publication need not fail first for that to be known.
                        self.replica.set_unwritable(&trouble);
                    }
                    self.replica.set_not_following(&trouble);
                    sleep(PAUSE);
                }
            }
            if evicted.elapsed() >= EVICTION {
                if self.local.evict() {
                    continue;
                }
                evicted = Instant::now();
            }
            if let Err(error) = self.bell.wait() {
                tracing::debug!(%error, "the socket for news fails");
                sleep(PAUSE);
            }
        }
    }

    /// Takes everything that is new in the file.
    fn look(&self) -> Result<(), Trouble> {
        let database = Arc::clone(&self.database);
        loop {
            let reached = self.local.reached();
            let place = reached.map(|(_, place)| place).unwrap_or_default();
            let (batch, file) = database.inspect(|connection, file| {
                if !database.is_accepted(file) {
                    check_content(connection)?;
                }
                Ok((Batch::read(connection, place)?, file))
            })?;
            match reached {
                Some((epoch, _)) if epoch == batch.row.epoch => {
                    if batch.diverged {
                        tracing::error!("the file has lost messages that it had before; it begins a new epoch");
                        database.renew_epoch(file, Some(batch.row.epoch))?;
                        continue;
                    }
                    self.accept(file);
                    let more = batch.next.position < batch.row.last;
                    // If not, the writer has been faster, and there may be less to take, or more.
                    if self.local.take(place, batch) && !more {
                        return Ok(());
                    }
                }
                _ => self.fill(file)?,
            }
            if self.stop.is_set() {
                return Ok(());
            }
        }
    }

    /// Fills a new history and hands it to the hub.
    fn fill(&self, file: FileIdentity) -> Result<(), Trouble> {
        if self.local.reached().is_some() {
            tracing::warn!("the file holds another history; clients are sent a gap");
        }
        let database = Arc::clone(&self.database);
        let same = |now: FileIdentity| if now == file { Ok(()) } else { Err(Trouble::Replaced) };
        let (before, row) = database.inspect(|connection, now| {
            same(now)?;
            fill::begin(connection, self.memory)
        })?;
        let mut filled = Filled::new(self.initial.renew(row.epoch), before);
        while filled.place().position < row.last {
            if self.stop.is_set() {
                return Err(Trouble::Stopped);
            }
            let batch = database.inspect(|connection, now| {
                same(now)?;
                Batch::read(connection, filled.place())
            })?;
            if batch.row.epoch != row.epoch || batch.diverged {
                return Err(Trouble::OtherHistory);
            }
            // There are no subscribers to wake yet.
            drop(filled.take(batch));
            self.replica.set_filling(filled.place().position - before, row.last - before);
        }
        // Before anybody sees the history, and may want to publish to it.
        self.accept(file);
        self.local.replace(filled);
        Ok(())
    }

    /// Has the file written to from now on, whose history is the one that is followed.
    fn accept(&self, file: FileIdentity) {
        if !self.database.is_accepted(file) {
            tracing::warn!("the file was replaced; its history is followed from here");
            self.database.accept(file);
        }
    }
}

/// Checks a file that has taken the place of another one: a write-ahead log that is not its own would make nonsense of it.
fn check_content(connection: &rusqlite::Connection) -> Result<(), Trouble> {
    quick_check(connection)?.map_or(Ok(()), |reason| Err(Trouble::Damaged(reason.into())))
}
