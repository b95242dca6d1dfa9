//! The pages that were used last.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::page::Page;
use shared::cursor::{Cursor, Epoch};
use shared::hub::Fetched;
use shared::topic::TopicFilter;

/// The topics of a page.
pub(super) type Filters = Arc<[TopicFilter]>;

/// The memory that a page occupies besides its messages, in bytes: its entries in the maps.
const PAGE_COST: usize = 256;

/// The memory that a filter occupies besides its text, in bytes.
const FILTER_COST: usize = 32;

/// Pages of one epoch. The least recently used ones are evicted when the pages, and what is charged for fetches under way,
/// occupy more than the limit.
///
/// A page stays valid, even when the stream discards its messages: messages do not change, and the page was proved
/// whole when it was fetched.
#[derive(Debug)]
pub(super) struct PageCache {
    limit: usize,
    bytes: usize,
    epoch: Epoch,
    /// The pages of the same topics, by the offset after which they begin.
    pages: HashMap<Filters, BTreeMap<u64, Kept>>,
    /// The pages that may be evicted, by their last use.
    by_use: BTreeMap<u64, (Filters, u64)>,
    uses: u64,
}

#[derive(Debug)]
struct Kept {
    page: Page,
    cost: usize,
    /// The last use. `None` while the page is pinned.
    used: Option<u64>,
}

impl PageCache {
    pub(super) fn new(limit: usize) -> Self {
        let (pages, by_use) = (HashMap::new(), BTreeMap::new());
        Self { limit, bytes: 0, epoch: Epoch::new(0), pages, by_use, uses: 0 }
    }

    /// Returns whether a kept page has what comes after a cursor.
    pub(super) fn has(&self, filters: &Filters, after: Cursor) -> bool {
        self.find(filters, after).is_some()
    }

    /// Returns what a kept page has after a cursor.
    pub(super) fn get(&mut self, filters: &Filters, after: Cursor) -> Option<Fetched> {
        let kept = self.find(filters, after)?;
        let (begin, used, rest) = (kept.page.after, kept.used, kept.page.rest(after.offset));
        if let Some(used) = used {
            self.by_use.remove(&used);
            self.use_now(filters, begin);
        }
        Some(rest)
    }

    fn find(&self, filters: &Filters, after: Cursor) -> Option<&Kept> {
        let pages = self.pages.get(filters).filter(|_| after.epoch == self.epoch)?;
        let (_, kept) = pages.range(..=after.offset).next_back()?;
        Some(kept).filter(|kept| after.offset < kept.page.through)
    }

    /// Keeps a page, which is not evicted before it is unpinned. Pages of another epoch are dropped.
    pub(super) fn insert_pinned(&mut self, filters: &Filters, epoch: Epoch, page: Page) {
        if epoch != self.epoch {
            self.clear();
            self.epoch = epoch;
        }
        self.remove(filters, page.after);
        let cost = PAGE_COST + filters.iter().map(filter_cost).sum::<usize>() + page.bytes;
        let begin = page.after;
        let kept = Kept { page, cost, used: None };
        self.pages.entry(Arc::clone(filters)).or_default().insert(begin, kept);
        self.charge(cost);
    }

    /// Makes the page that begins after a cursor evictable, as the most recently used one.
    pub(super) fn unpin(&mut self, filters: &Filters, after: Cursor) {
        if after.epoch != self.epoch {
            return;
        }
        let kept = self.pages.get(filters).and_then(|pages| pages.get(&after.offset));
        if kept.is_some_and(|kept| kept.used.is_none()) {
            self.use_now(filters, after.offset);
            self.evict();
        }
    }

    fn use_now(&mut self, filters: &Filters, begin: u64) {
        if let Some(kept) = self.pages.get_mut(filters).and_then(|pages| pages.get_mut(&begin)) {
            self.uses += 1;
            kept.used = Some(self.uses);
            self.by_use.insert(self.uses, (Arc::clone(filters), begin));
        }
    }

    /// Counts memory that a fetch under way holds.
    pub(super) fn charge(&mut self, bytes: usize) {
        self.bytes += bytes;
        self.evict();
    }

    /// Counts memory that a fetch no longer holds.
    pub(super) fn discharge(&mut self, bytes: usize) {
        self.bytes -= bytes;
    }

    fn evict(&mut self) {
        while self.bytes > self.limit
            && let Some((_, (filters, begin))) = self.by_use.pop_first()
        {
            self.remove(&filters, begin);
        }
    }

    fn remove(&mut self, filters: &Filters, begin: u64) {
        let Some(pages) = self.pages.get_mut(filters) else { return };
        if let Some(kept) = pages.remove(&begin) {
            self.bytes -= kept.cost;
            if let Some(used) = kept.used {
                self.by_use.remove(&used);
            }
        }
        if pages.is_empty() {
            self.pages.remove(filters);
        }
    }

    fn clear(&mut self) {
        self.bytes -= self.pages.values().flat_map(BTreeMap::values).map(|kept| kept.cost).sum::<usize>();
        self.pages = HashMap::new();
        self.by_use = BTreeMap::new();
    }
}

fn filter_cost(filter: &TopicFilter) -> usize {
    let text = match filter {
        TopicFilter::Exact(topic) => topic.as_str(),
        TopicFilter::Pattern(pattern) => pattern.as_str(),
    };
    FILTER_COST + text.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::hub::Entry;
    use shared::message::Message;
    use shared::timestamp::Timestamp;

    const EPOCH: Epoch = Epoch::new(1);

    fn at(offset: u64) -> Cursor {
        Cursor { epoch: EPOCH, offset }
    }

    fn filters(topic: &str) -> Filters {
        Filters::from([topic.parse().unwrap()])
    }

    /// A page with a message of 1000 bytes under every tenth offset.
    fn page(after: u64, through: u64) -> Page {
        let offsets = (after + 1..=through).filter(|offset| offset % 10 == 0);
        let entries = offsets.map(|offset| {
            let (topic, text) = ("a".parse().unwrap(), "x".repeat(1000).into());
            let message =
                Message { id: at(offset), topic, text, event: None, at: Timestamp::from_millis(0), traceparent: None };
            Arc::new(Entry::new(message))
        });
        Page::new(after, through, entries.collect())
    }

    fn keep(cache: &mut PageCache, topic: &str, page: Page) {
        let after = at(page.after);
        cache.insert_pinned(&filters(topic), EPOCH, page);
        cache.unpin(&filters(topic), after);
    }

    /// The offsets that the cache has after a cursor, and how far they reach.
    fn get(cache: &mut PageCache, topic: &str, after: Cursor) -> Option<(Vec<u64>, u64)> {
        cache.get(&filters(topic), after).map(|fetched| match fetched {
            Fetched::Page { entries, through, .. } => {
                (entries.iter().map(|entry| entry.message.id.offset).collect(), through)
            }
            other => panic!("a kept page is not gone: {other:?}"),
        })
    }

    fn has(cache: &mut PageCache, after: u64) -> bool {
        get(cache, "a", at(after)).is_some()
    }

    /// The cost of one page of three messages.
    fn cost() -> usize {
        let mut cache = PageCache::new(usize::MAX);
        keep(&mut cache, "a", page(0, 35));
        cache.bytes
    }

    #[test]
    fn a_position_within_a_page_is_given_the_rest_of_it() {
        let mut cache = PageCache::new(usize::MAX);
        keep(&mut cache, "a", page(5, 35));
        keep(&mut cache, "a", page(50, 70));
        assert_eq!(get(&mut cache, "a", at(5)), Some((vec![10, 20, 30], 35)));
        assert_eq!(get(&mut cache, "a", at(9)), Some((vec![10, 20, 30], 35)));
        assert_eq!(get(&mut cache, "a", at(10)), Some((vec![20, 30], 35)));
        assert_eq!(get(&mut cache, "a", at(34)), Some((vec![], 35)), "there is nothing up to its end");
        assert_eq!(get(&mut cache, "a", at(60)), Some((vec![70], 70)));
        for outside in [4, 35, 40, 49, 70] {
            assert_eq!(get(&mut cache, "a", at(outside)), None, "{outside}");
        }
        assert_eq!(get(&mut cache, "b", at(10)), None, "it is a page of other topics");
    }

    #[test]
    fn the_page_that_was_not_used_for_the_longest_time_is_evicted() {
        let mut cache = PageCache::new(3 * cost());
        for after in [0, 100, 200] {
            keep(&mut cache, "a", page(after, after + 35));
        }
        assert_eq!(cache.bytes, 3 * cost());
        assert!(has(&mut cache, 20), "this is its last use");
        keep(&mut cache, "a", page(300, 335));
        assert_eq!([0, 100, 200, 300].map(|after| has(&mut cache, after)), [true, false, true, true]);
        assert_eq!(cache.bytes, 3 * cost());
    }

    #[test]
    fn what_a_fetch_under_way_holds_counts() {
        let mut cache = PageCache::new(3 * cost());
        for after in [0, 100, 200] {
            keep(&mut cache, "a", page(after, after + 35));
        }
        cache.charge(1);
        assert_eq!([0, 100, 200].map(|after| has(&mut cache, after)), [false, true, true]);
        cache.charge(5 * cost());
        assert!(!has(&mut cache, 200), "fetches go on when they hold everything");
        cache.discharge(5 * cost() + 1);
        assert_eq!(cache.bytes, 0);
    }

    #[test]
    fn a_page_is_not_evicted_before_those_who_wait_for_it_have_it() {
        let mut cache = PageCache::new(cost());
        for after in [0, 100, 200] {
            cache.insert_pinned(&filters("a"), EPOCH, page(after, after + 35));
        }
        assert_eq!([0, 100, 200].map(|after| has(&mut cache, after)), [true; 3]);
        cache.unpin(&filters("a"), at(0));
        assert_eq!([0, 100, 200].map(|after| has(&mut cache, after)), [false, true, true]);
        cache.unpin(&filters("a"), at(100));
        cache.unpin(&filters("a"), at(100));
        cache.unpin(&filters("a"), at(200));
        assert_eq!([0, 100, 200].map(|after| has(&mut cache, after)), [false, false, true]);
        assert_eq!(cache.bytes, cost());
    }

    #[test]
    fn pages_of_another_epoch_are_dropped() {
        let mut cache = PageCache::new(usize::MAX);
        keep(&mut cache, "a", page(0, 35));
        let other = Cursor { epoch: Epoch::new(2), offset: 0 };
        assert_eq!(get(&mut cache, "a", other), None);
        assert!(has(&mut cache, 0), "asking for another history drops nothing");
        cache.insert_pinned(&filters("a"), other.epoch, page(0, 25));
        assert!(!has(&mut cache, 0));
        assert_eq!(get(&mut cache, "a", other), Some((vec![10, 20], 25)));
        cache.unpin(&filters("a"), at(0));
        cache.unpin(&filters("a"), other);
        assert!(cache.bytes < cost());
    }

    #[test]
    fn a_page_of_nothing_costs_something() {
        let mut cache = PageCache::new(10_000);
        for after in 0..1000 {
            keep(&mut cache, "b", page(after * 10, after * 10 + 1));
        }
        assert_eq!([0, 9990].map(|after| get(&mut cache, "b", at(after)).is_some()), [false, true]);
    }

    /// As many positions as there are, each page that is fetched gets its reader further, even if none is found again.
    #[test]
    fn readers_at_more_positions_than_fit_all_get_further() {
        let mut cache = PageCache::new(4 * cost());
        let mut positions: Vec<u64> = (0..100).map(|reader| reader * 1000).collect();
        for _ in 0..10 {
            for position in &mut positions {
                if !has(&mut cache, *position) {
                    cache.insert_pinned(&filters("a"), EPOCH, page(*position, *position + 35));
                }
                let (offsets, _) = get(&mut cache, "a", at(*position)).expect("it waits for this page");
                cache.unpin(&filters("a"), at(*position));
                *position = offsets[0];
            }
        }
        assert!(positions.iter().enumerate().all(|(reader, position)| position - reader as u64 * 1000 == 100));
        assert!(cache.bytes <= 4 * cost());
    }
}
