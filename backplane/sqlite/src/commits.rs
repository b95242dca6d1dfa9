//! The transactions of this process whose publishers wait for the follower.

use parking_lot::Mutex;
use tokio::runtime::Handle;

use crate::append::Answered;
use crate::queue::Publisher;

/// The publishers of a transaction, with the answers to them.
pub(crate) type Answers = Vec<(Publisher, Answered)>;

/// The publishers of this process's transactions that are on the disk, but whose messages the follower has to read first. They have no
/// bound of their own: the [`Queue`](crate::queue::Queue) bounds the publications that are not answered.
#[derive(Default)]
pub(crate) struct Commits {
    waiting: Mutex<Waiting>,
}

#[derive(Default)]
struct Waiting {
    answers: Answers,
    /// No more will come.
    closed: bool,
}

impl Commits {
    pub(crate) fn add(&self, answers: Answers) {
        self.waiting.lock().answers.extend(answers);
    }

    /// Takes all that are there, and whether they are the last ones.
    pub(crate) fn take(&self) -> (Answers, bool) {
        let mut waiting = self.waiting.lock();
        (std::mem::take(&mut waiting.answers), waiting.closed)
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
pub(crate) fn answer(answers: Answers) {
    let few = answers.len() <= FEW;
    let answer = move || answers.into_iter().for_each(|(publisher, answer)| publisher.answer(answer));
    match Handle::try_current() {
        Ok(runtime) if !few => drop(runtime.spawn(async move { answer() })),
        _ => answer(),
    }
}
