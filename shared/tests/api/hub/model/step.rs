//! The events of a hub's life.

use proptest::prelude::*;

use super::format::FORMATS;

pub(super) const TOPICS: [&str; 5] = ["a", "a.b", "a.c", "d", "d.b"];
pub(super) const FILTERS: [&[&str]; 14] = [
    &["a"],
    &["d"],
    &["a", "d"],
    &["a.*"],
    &[">"],
    &["a.>", "d"],
    &["a.b", "a.*"],
    &["*", "never"],
    &["a.b", ">"],
    &["*.b", "a.>"],
    &["d.b", "a.c", "*.b"],
    &["*.*", "a", "a.*"],
    &["a.b", "a.b"],
    &["d.b"],
];
pub(super) const AGE: u64 = 100;

#[derive(Debug, Clone, Copy)]
pub(super) enum From {
    Now,
    Earliest,
    /// This far back from the end.
    Back(u64),
    Future,
    Foreign,
}

#[derive(Debug, Clone)]
pub(super) enum Step {
    Publish {
        topic: usize,
        times: usize,
    },
    Pass(u64),
    Follow {
        filter: usize,
        from: From,
    },
    Read {
        who: usize,
        most: usize,
        /// Index of the format.
        format: usize,
        /// As bytes, not as messages.
        encoded: bool,
    },
    Leave {
        who: usize,
    },
    /// So many messages never come, and everything before may be gone too.
    Lose(u64),
    /// Every message of a topic so far may be gone.
    LoseIn {
        topic: usize,
    },
    /// Another history, with so many messages, takes the place of this one.
    Replace {
        messages: usize,
    },
}

pub(super) fn step() -> impl Strategy<Value = Step> {
    let from = prop_oneof![
        Just(From::Now),
        Just(From::Earliest),
        (0..20_u64).prop_map(From::Back),
        Just(From::Future),
        Just(From::Foreign),
    ];
    prop_oneof![
        4 => (0..TOPICS.len(), 1..6_usize).prop_map(|(topic, times)| Step::Publish { topic, times }),
        1 => (0..TOPICS.len(), 1..80_usize).prop_map(|(topic, times)| Step::Publish { topic, times }),
        1 => (0..2 * AGE).prop_map(Step::Pass),
        2 => (0..FILTERS.len(), from).prop_map(|(filter, from)| Step::Follow { filter, from }),
        4 => (any::<usize>(), prop_oneof![1..6_usize, 1..100_usize], 0..FORMATS.len(), any::<bool>())
            .prop_map(|(who, most, format, encoded)| Step::Read { who, most, format, encoded }),
        1 => any::<usize>().prop_map(|who| Step::Leave { who }),
        1 => (0..3_u64).prop_map(Step::Lose),
        1 => (0..TOPICS.len()).prop_map(|topic| Step::LoseIn { topic }),
        1 => (0..6_usize).prop_map(|messages| Step::Replace { messages }),
    ]
}
