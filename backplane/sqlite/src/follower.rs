//! The follower: the thread that fills the hub, with the messages of every process in the order of the file.

use std::sync::Arc;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::batch::{Batch, Place};
use crate::bells::{Bell, LOOK, News};
use crate::commits::{Commit, Commits, answer};
use crate::database::Database;
use crate::file_identity::FileIdentity;
use crate::fill;
use crate::opening::quick_check;
use crate::replica::Replica;
use crate::stop::Stop;
use crate::trouble::Trouble;
use shared::cursor::{Cursor, Epoch};
use shared::hub::{Appender, Hub, Wake};

/// The interval between evictions of old messages from memory.
const EVICTION: Duration = Duration::from_secs(1);

/// The pause after a failure.
const PAUSE: Duration = Duration::from_millis(200);

/// Fills the hub from the file.
pub(crate) struct Follower {
    pub(crate) database: Arc<Database>,
    pub(crate) replica: Arc<Replica>,
    pub(crate) commits: Arc<Commits>,
    pub(crate) hub: Hub,
    /// The time for which subscribers are left asleep, so that they are woken once for several messages.
    pub(crate) gather: Duration,
    /// The memory for messages, in bytes.
    pub(crate) memory: u64,
    pub(crate) bell: Bell,
    pub(crate) stop: Stop,
    /// An appender of no hub; its `renew` makes those of the file's histories.
    pub(crate) initial: Appender,
    pub(crate) history: Option<LocalHistory>,
}

/// The messages taken from the file up to a place.
pub(crate) struct LocalHistory {
    appender: Appender,
    place: Place,
}

impl Follower {
    /// Follows until the writer has ended.
    pub(crate) fn run(mut self) {
        let mut evicted = Instant::now();
        let mut looked_at = None;
        let mut news = News::Any;
        loop {
            let (commits, are_last) = self.commits.take();
            let mut answers = Vec::new();
            for Commit { before, batch, answers: of_commit } in commits {
                match self.take_directly(before, batch) {
                    true => answer(of_commit),
                    false => answers.extend(of_commit),
                }
            }
            let is_due = looked_at.is_none_or(|at: Instant| at.elapsed() >= LOOK);
            let looked = (news == News::Any || is_due || !answers.is_empty()).then(|| self.look());
            // Confirmed even if the messages cannot be followed now.
            answer(answers);
            if are_last {
                return;
            }
            match looked {
                None => {}
                Some(Ok(())) => {
                    looked_at = Some(Instant::now());
                    self.replica.set_following();
                }
                Some(Err(trouble)) => {
                    looked_at = None;
                    if matches!(trouble, Trouble::Removed | Trouble::StaleLog) {
                        // A publication need not fail first for that to be known.
                        self.replica.set_unwritable(&trouble);
                    }
                    self.replica.set_not_following(&trouble);
                    sleep(PAUSE);
                }
            }
            if evicted.elapsed() >= EVICTION {
                if self.evict() {
                    continue;
                }
                evicted = Instant::now();
            }
            news = self.bell.wait().unwrap_or_else(|error| {
                tracing::debug!(%error, "the socket for news fails");
                sleep(PAUSE);
                News::Any
            });
        }
    }

    /// Takes what the writer has committed, if that is the next in the file. Returns whether it was.
    fn take_directly(&mut self, before: Place, batch: Batch) -> bool {
        let Some(history) = &mut self.history else { return false };
        let is_next = history.epoch() == batch.row.epoch && history.place == before;
        if is_next {
            self.show(batch);
        }
        is_next
    }

    /// Makes a batch visible.
    fn show(&mut self, batch: Batch) {
        if let Some(history) = &mut self.history {
            history.take(batch).into_iter().for_each(|wake| wake.wake_after(self.gather));
            self.replica.progress.reach(history.cursor());
        }
    }

    /// Takes everything that is new in the file.
    fn look(&mut self) -> Result<(), Trouble> {
        let database = Arc::clone(&self.database);
        loop {
            let place = self.history.as_ref().map(|history| history.place).unwrap_or_default();
            let (batch, file) = database.inspect(|connection, file| {
                if !database.is_accepted(file) {
                    check_content(connection)?;
                }
                Ok((Batch::read(connection, place)?, file))
            })?;
            match &self.history {
                Some(history) if history.epoch() == batch.row.epoch => {
                    if batch.diverged {
                        tracing::error!("the file has lost messages that it had before; it begins a new epoch");
                        database.renew_epoch(file, Some(batch.row.epoch))?;
                        continue;
                    }
                    self.accept(file);
                    let more = batch.next.position < batch.row.last;
                    self.show(batch);
                    if !more {
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
    fn fill(&mut self, file: FileIdentity) -> Result<(), Trouble> {
        if self.history.is_some() {
            tracing::warn!("the file holds another history; clients are sent a gap");
        }
        let database = Arc::clone(&self.database);
        let same = |now: FileIdentity| if now == file { Ok(()) } else { Err(Trouble::Replaced) };
        let (before, row) = database.inspect(|connection, now| {
            same(now)?;
            fill::begin(connection, self.memory)
        })?;
        let mut history = LocalHistory::new(self.initial.renew(row.epoch), before);
        while history.place.position < row.last {
            if self.stop.is_set() {
                return Err(Trouble::Stopped);
            }
            let batch = database.inspect(|connection, now| {
                same(now)?;
                Batch::read(connection, history.place)
            })?;
            if batch.row.epoch != row.epoch || batch.diverged {
                return Err(Trouble::OtherHistory);
            }
            // There are no subscribers to wake yet.
            drop(history.take(batch));
            self.replica.set_filling(history.place.position - before, row.last - before);
        }
        // Before anybody sees the history, and may want to publish to it.
        self.accept(file);
        self.hub.replace(&history.appender).wake();
        self.replica.progress.reach(history.cursor());
        self.history = Some(history);
        Ok(())
    }

    /// Has the file written to from now on, whose history is the one that is followed.
    fn accept(&self, file: FileIdentity) {
        if !self.database.is_accepted(file) {
            tracing::warn!("the file was replaced; its history is followed from here");
            self.database.accept(file);
        }
    }

    /// Evicts some of the old messages from memory. Returns whether there are more.
    fn evict(&mut self) -> bool {
        let evict = |history: &mut LocalHistory| history.appender.evict_aged(history.appender.now());
        self.history.as_mut().is_some_and(evict)
    }
}

impl LocalHistory {
    /// A history that begins after an offset. What was before is not in memory.
    fn new(mut appender: Appender, before: u64) -> Self {
        if before > 0 {
            // There are no subscribers to wake yet.
            drop(appender.lost_through(before));
        }
        Self { appender, place: Place::after(before) }
    }

    fn epoch(&self) -> Epoch {
        self.appender.epoch()
    }

    fn cursor(&self) -> Cursor {
        Cursor { epoch: self.epoch(), offset: self.place.position }
    }

    /// Makes a batch visible. The caller wakes the subscribers.
    fn take(&mut self, batch: Batch) -> Vec<Wake> {
        let mut wakes: Vec<Wake> =
            batch.lost.iter().map(|(topic, through)| self.appender.lost_in(topic, *through)).collect();
        wakes.extend(batch.lost_in_all.map(|through| self.appender.lost_in_all(through)));
        if !batch.messages.is_empty() {
            let now = self.appender.now();
            let held = batch.messages.into_iter().map(|(message, held_since)| {
                let age = Duration::from_millis(u64::try_from(batch.age - held_since).unwrap_or_default());
                (message, now.earlier_by(age))
            });
            wakes.push(self.appender.append_held(held));
        }
        self.place = batch.next;
        self.appender.skip_to(self.place.position);
        wakes
    }
}

/// Checks a file that has taken the place of another one: a write-ahead log that is not its own would make nonsense of it.
fn check_content(connection: &rusqlite::Connection) -> Result<(), Trouble> {
    quick_check(connection)?.map_or(Ok(()), |reason| Err(Trouble::Damaged(reason.into())))
}
