//! The transactions of this process, on their way from the writer to the follower.

use parking_lot::Mutex;
use tokio::runtime::Handle;

use crate::append::Answered;
use crate::batch::{Batch, Place};
use crate::queue::Publisher;

/// A transaction of this process, which is on the disk.
pub(crate) struct Commit {
    /// The end of the file before. A follower that is there need not read what was added.
    pub(crate) before: Place,
    /// What was added.
    pub(crate) batch: Batch,
    /// The publishers, who are answered once the follower has the messages.
    pub(crate) answers: Vec<(Publisher, Answered)>,
}

/// The transactions of this process that the follower has not taken yet, in order. They have no bound of their own: the
/// [`Queue`](crate::queue::Queue) bounds the publications that are not answered.
#[derive(Default)]
pub(crate) struct Commits {
    waiting: Mutex<Waiting>,
}

#[derive(Default)]
struct Waiting {
    commits: Vec<Commit>,
    /// No more will come.
    closed: bool,
}

impl Commits {
    pub(crate) fn add(&self, commit: Commit) {
        self.waiting.lock().commits.push(commit);
    }

    /// Takes all that are there, and whether they are the last ones.
    pub(crate) fn take(&self) -> (Vec<Commit>, bool) {
        let mut waiting = self.waiting.lock();
        (std::mem::take(&mut waiting.commits), waiting.closed)
    }

    /// Has the follower end once it has taken all.
    pub(crate) fn close(&self) {
        self.waiting.lock().closed = true;
    }
}

/// The number of publishers that a thread answers by itself. It would wake a thread of the runtime for each of them, while a task
/// wakes them in its own.
const FEW: usize = 2;

/// Answers publishers.
pub(crate) fn answer(answers: Vec<(Publisher, Answered)>) {
    let few = answers.len() <= FEW;
    let answer = move || answers.into_iter().for_each(|(publisher, answer)| publisher.answer(answer));
    match Handle::try_current() {
        Ok(runtime) if !few => drop(runtime.spawn(async move { answer() })),
        _ => answer(),
    }
}
