//! What is missing of the stored messages when they are read for the first time.
//!
//! A stream gives up messages in two ways: from its beginning, by age and bytes, and from a topic's beginning, when the
//! topic holds more than it may. (It lets nobody delete or purge.) A message that this process was not given was given up
//! before it was its turn, and the stream does not say which those were. So what may be missing is reasoned:
//!
//! - **From the beginning**: whatever went that way had nothing older beside it. Hence it is older than the stream's first
//!   message, looked up once everything up to some position has been read: [`FirstRead::finish`] takes what is before that
//!   for lost, of every topic.
//! - **From a topic's beginning**: when a message went that way, its topic held as many newer ones as it may. Each of them
//!   was read, or went too: from the stream's beginning, and then the missing message is before the stream's first one as
//!   well, which is the case above; or from the topic's, and then as many newer ones are there, and so on. Hence a topic of
//!   which fewer were read than it may hold has lost nothing in this way, and any other may have lost what is before the
//!   first one read: [`FirstRead::finish`] takes that for lost.
//!
//! For the second it matters that the newer messages have been read too, which may have been published while reading. So
//! reading goes on to where the stream ended once everything before had been read, and whatever is missing on this last
//! stretch is taken for lost of every topic, as it is later on, when one number does not follow on the other.
//!
//! And it matters that the number that a topic may hold has always been the same: see `push-history` in `stream`.

use std::collections::HashMap;

use super::stream::Seen;
use super::wire;
use shared::hub::Appender;

/// What has been read of each subject. What is no message counts too: in the stream, it has its place among those of its
/// topic.
#[derive(Default)]
pub(super) struct FirstRead {
    subjects: HashMap<String, Read>,
}

struct Read {
    first: u64,
    count: u64,
}

impl FirstRead {
    pub(super) fn saw(&mut self, subject: &str, offset: u64) {
        match self.subjects.get_mut(subject) {
            Some(read) => read.count += 1,
            None => {
                self.subjects.insert(subject.to_owned(), Read { first: offset, count: 1 });
            }
        }
    }

    /// Tells the history what may be missing. `seen` is the stream as it was when all but the last stretch had been read.
    pub(super) fn finish(self, appender: &mut Appender, seen: &Seen) {
        if let Some(limit) = seen.per_topic {
            for (subject, read) in self.subjects.iter().filter(|(_, read)| read.count >= limit && read.first > 1) {
                // Nobody can follow what is no topic.
                if let Some(topic) = wire::topic(subject) {
                    appender.lost_in(&topic, read.first - 1);
                }
            }
        }
        if seen.first > 1 {
            // Nobody follows this history yet.
            drop(appender.lost_through(seen.first - 1));
        }
    }
}
