//! The inference of which stored messages are missing when they are read for the first time.
//!
//! A stream discards messages in two ways: from its beginning, by age and bytes, and from a topic's beginning, when the
//! topic holds more than its limit. (It lets nobody delete or purge.) A message that is not delivered to this process
//! was discarded before it was its turn, and the stream does not say which messages those were. So this is inferred:
//!
//! - **From the stream's beginning**: when a message was discarded in this way, no older message was in the stream.
//!   Hence it is older than the stream's first message in a snapshot that is taken once everything up to some position
//!   has been read: [`FirstRead::finish`] declares everything before that lost, of every topic.
//! - **From a topic's beginning**: a topic discards a message when it holds its limit of newer ones. Each of these was
//!   read or was discarded too. If one was discarded from the stream's beginning, the missing message is older than the
//!   stream's first: the case above. If from the topic's beginning, the topic again holds its limit of newer ones. So a
//!   topic of which fewer than its limit were read has lost nothing in this way, and any other may have lost everything
//!   before the first one read: [`FirstRead::finish`] declares that lost.
//!
//! The second case requires that the newer messages have been read too, which may have been published during the read. So
//! reading goes on to where the stream ended once everything before had been read. A missing sequence on this last stretch
//! counts as lost of every topic, as it does later on.
//!
//! It also requires that the number of messages that a topic may hold has always been the same: see `push-history` in
//! `stream/metadata`.

use std::collections::HashMap;

use crate::stored_message;
use crate::stream::StreamSnapshot;
use shared::hub::Appender;

/// The stored messages that have been read of each subject. Invalid messages count too, since the stream counts them among
/// those of their topic.
#[derive(Default)]
pub(crate) struct FirstRead {
    subjects: HashMap<String, Extent>,
}

struct Extent {
    first: u64,
    count: u64,
}

impl FirstRead {
    pub(crate) fn record(&mut self, subject: &str, offset: u64) {
        match self.subjects.get_mut(subject) {
            Some(extent) => extent.count += 1,
            None => {
                self.subjects.insert(subject.to_owned(), Extent { first: offset, count: 1 });
            }
        }
    }

    /// Declares lost what may be missing. The snapshot is the one that was taken before the last stretch.
    pub(crate) fn finish(self, appender: &mut Appender, snapshot: &StreamSnapshot) {
        if let Some(limit) = snapshot.per_topic {
            let full = self.subjects.iter().filter(|(_, extent)| extent.count >= limit && extent.first > 1);
            for (subject, extent) in full {
                // Nobody can follow a subject that is no topic.
                if let Some(topic) = stored_message::topic(subject) {
                    // There are no subscribers to wake yet.
                    drop(appender.lost_in(&topic, extent.first - 1));
                }
            }
        }
        if snapshot.first > 1 {
            // There are no subscribers to wake yet.
            drop(appender.lost_through(snapshot.first - 1));
        }
    }
}
