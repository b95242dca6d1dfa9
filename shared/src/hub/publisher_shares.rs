//! The memory that the messages of each publisher take.

use std::collections::HashMap;
use std::sync::Arc;

use super::offset_queue::{AtOffset, OffsetQueue};
use super::topic_history::TopicHistory;
use crate::publisher::PublisherId;

/// The number of a publisher's oldest messages among which one is looked for that can go.
const LOOKED_AT: usize = 64;

/// The memory that the messages of each publisher take, of those that are known.
#[derive(Default)]
pub(super) struct PublisherShares {
    by_publisher: HashMap<PublisherId, Holding>,
    /// Those whose messages take more than their share. They are few, since their shares are.
    over_share: Vec<PublisherId>,
}

/// The messages of one publisher.
#[derive(Default)]
struct Holding {
    bytes: usize,
    places: OffsetQueue<Place>,
}

/// The place of a message.
struct Place {
    offset: u64,
    bytes: usize,
    topic: Arc<TopicHistory>,
}

impl AtOffset for Place {
    fn offset(&self) -> u64 {
        self.offset
    }
}

impl PublisherShares {
    /// Counts a message, of which a publisher's share is that many bytes.
    pub(super) fn add(
        &mut self,
        publisher: PublisherId,
        offset: u64,
        bytes: usize,
        topic: &Arc<TopicHistory>,
        share: usize,
    ) {
        let holding = self.by_publisher.entry(publisher).or_default();
        holding.bytes += bytes;
        holding.places.push(Place { offset, bytes, topic: Arc::clone(topic) });
        if (share + 1..=share + bytes).contains(&holding.bytes) {
            self.over_share.push(publisher);
        }
    }

    /// Counts a message no longer.
    pub(super) fn remove(&mut self, publisher: PublisherId, offset: u64, share: usize) {
        let Some(holding) = self.by_publisher.get_mut(&publisher) else { return };
        let Some(place) = holding.places.remove(offset) else { return };
        holding.bytes -= place.bytes;
        if holding.bytes <= share {
            self.over_share.retain(|other| *other != publisher);
        }
        if holding.places.len() == 0 {
            self.by_publisher.remove(&publisher);
        }
    }

    /// The topic whose oldest message goes first: an old one of the publisher that takes the most, if that is more than its share. Its
    /// newest message stays, and so does one behind the messages of others in their topic.
    pub(super) fn topic_over_share(&self) -> Option<Arc<TopicHistory>> {
        let holdings = self.over_share.iter().filter_map(|publisher| self.by_publisher.get(publisher));
        let largest = holdings.max_by_key(|holding| holding.bytes)?;
        let all_but_newest = largest.places.len() - 1;
        let mut old = largest.places.iter().take(LOOKED_AT.min(all_but_newest));
        let first = old.find(|place| place.topic.oldest_after(0) == Some(place.offset))?;
        Some(Arc::clone(&first.topic))
    }
}
