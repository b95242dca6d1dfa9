//! Patterns that nobody has followed before, in a history of many topics, some of whose messages are gone.

use std::time::Duration;

use futures_util::FutureExt;
use shared::cursor::{Cursor, Epoch, Position};
use shared::gap::{Gap, GapReason};
use shared::hub::{Batch, HistoryLimits};
use shared::message::Message;
use shared::moment::Moment;
use shared::timestamp::Timestamp;

use super::{ALL, Fed, History, JSON, at_most, filters, read_to_end, read_whole, texts};

const TOPICS: usize = 3000;

/// A history of many topics `old.N`, each of which has lost a message, and then of as many topics `new.N` that have lost
/// none, and the position between them.
fn history() -> (History, Cursor) {
    let history = History::new(at_most(1));
    for topic in 0..TOPICS {
        history.publish_all(&format!("old.{topic}"), &["lost", "held"]);
    }
    let between = history.hub.head();
    for topic in 0..TOPICS {
        history.publish(&format!("new.{topic}"), "held");
    }
    (history, between)
}

/// Waits for the first batch, and counts for how many turns.
async fn first_batch(history: &History, topics: &[&str], since: Cursor) -> (Batch, usize) {
    let mut subscriber = history.follow(topics, Position::At(since));
    let mut turns = 0;
    loop {
        let batch = subscriber.read(&JSON, ALL);
        if !batch.is_empty() || !batch.more {
            return (batch, turns);
        }
        if subscriber.changed().now_or_never().is_none() {
            turns += 1;
        }
    }
}

#[tokio::test]
async fn a_loss_from_before_is_reported_and_one_of_another_pattern_is_not() {
    let (history, between) = history();
    let start = Cursor { offset: 0, ..between };
    let last_lost = Cursor { offset: between.offset - 1, ..between };
    let many: Vec<String> = (0..60).map(|n| format!("old.{n}.>")).chain(["old.*".into()]).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    for topics in [&["old.*"][..], &["*.7", "old.>"], &["old.*", "new.1"], &many] {
        let (batch, turns) = first_batch(&history, topics, start).await;
        let gap = Gap { reason: GapReason::Expired, since: start, cursor: last_lost };
        assert_eq!(batch.gap, Some(gap), "{topics:?}");
        assert!(turns > 2, "{topics:?} are compared with all topics in one piece");
    }
    for topics in [&["new.*"][..], &["*.x", "new.7"], &["new.>", "never.*"]] {
        let (batch, turns) = first_batch(&history, topics, start).await;
        assert_eq!(batch.gap, None, "{topics:?}");
        assert!(turns > 2, "{topics:?} are compared with all topics in one piece");
    }
    let (batch, turns) = first_batch(&history, &["old.*"], last_lost).await;
    assert_eq!((batch.gap, texts(&batch), turns), (None, vec!["held"], 0), "nothing was lost after this cursor");
    let foreign = Cursor { epoch: Epoch::new(1), offset: 9 };
    let (batch, _) = first_batch(&history, &["old.*"], foreign).await;
    assert_eq!(batch.gap, Some(Gap { reason: GapReason::Epoch, since: foreign, cursor: last_lost }));
}

#[tokio::test]
async fn messages_that_come_and_go_meanwhile_are_not_missed() {
    let (history, between) = history();
    let start = Cursor { offset: 0, ..between };
    let mut returned = history.follow(&["old.*"], Position::At(start));
    let mut now = history.follow(&["old.*"], Position::Now);
    let mut turn = 0;
    let gap = loop {
        // Each of them pushes out the one that the topic held.
        history.publish(&format!("old.{turn}"), "later");
        turn += 1;
        let batch = returned.read(&JSON, ALL);
        if let Some(gap) = batch.gap {
            let read = texts(&batch).len() + read_to_end(&mut returned).await.len();
            let mut all = history.follow(&["old.*"], Position::At(gap.cursor));
            assert_eq!(read, read_to_end(&mut all).await.len(), "all after {gap:?}");
            break gap;
        }
        assert!(batch.more && batch.entries.is_empty());
        let _ = returned.changed().now_or_never();
    };
    assert_eq!(gap.reason, GapReason::Expired);
    assert!(turn > 2, "it takes several turns");
    assert_eq!(texts(&now.read(&JSON, ALL)), vec!["later"; turn], "nobody else waits for it");
}

#[tokio::test]
async fn topics_that_come_and_go_after_a_pattern_is_followed_are_no_loss_of_it() {
    let mut fed = Fed::new(HistoryLimits { age: Duration::from_secs(60), ..at_most(10) });
    fed.append("a.x", "1", 0).wake();
    let mut connected = fed.hub.subscribe(&filters(&["a.*"]), Position::Now);
    for topic in 0..1000 {
        fed.append(&format!("b.{topic}"), "gone", 0).wake();
    }
    fed.append("a.x", "2", 100_000).wake();
    while fed.appender.evict_aged(Moment::from_millis(100_000)) {}
    assert_eq!(fed.hub.topics(), 1);
    let mut returned = fed.hub.subscribe(&filters(&["a.*"]), Position::At(fed.cursor(1)));
    assert_eq!(read_to_end(&mut returned).await, ["2"]);
    assert_eq!(read_whole(&mut connected), ["2"]);
}

#[tokio::test]
async fn losses_of_topics_that_are_no_longer_kept_are_found_too() {
    let mut fed = Fed::new(HistoryLimits { age: Duration::from_secs(60), ..at_most(10) });
    fed.append("a.gone", "1", 0).wake();
    for topic in 0..TOPICS {
        fed.append(&format!("b.{topic}"), "held", 100_000).wake();
    }
    while fed.appender.evict_aged(Moment::from_millis(100_000)) {}
    assert_eq!(fed.hub.topics(), TOPICS);
    let mut returned = fed.hub.subscribe(&filters(&["a.*"]), Position::At(fed.cursor(0)));
    // Topics come and go while they are looked at.
    let mut number = 0;
    let gap = loop {
        let batch = returned.read(&JSON, ALL);
        if batch.gap.is_some() {
            break batch.gap;
        }
        assert!(batch.more);
        number += 1;
        fed.append(&format!("c.{number}"), "new", 100_000 + number).wake();
        fed.appender.evict_aged(Moment::from_millis(160_000 + number as i64));
        returned.changed().await;
    };
    assert_eq!(gap.map(|gap| (gap.reason, gap.since)), Some((GapReason::Expired, fed.cursor(0))));
}

#[tokio::test]
async fn clients_that_leave_in_the_middle_of_a_search_keep_nobody_from_its_end() {
    let (history, between) = history();
    let start = Cursor { offset: 0, ..between };
    for topics in [&["old.*"][..], &["new.*", "old.>"]] {
        let mut left = history.follow(topics, Position::At(start));
        assert!(left.read(&JSON, ALL).more && left.changed().now_or_never().is_none());
        drop(left);
        let (batch, _) = first_batch(&history, topics, start).await;
        assert_eq!(batch.gap.map(|gap| gap.reason), Some(GapReason::Expired), "{topics:?}");
    }
}

/// A loss that reaches further than what is visible concerns those who come after it, too.
#[tokio::test]
async fn a_loss_ahead_of_the_visible_history_is_reported_to_a_pattern_that_is_followed_after_it() {
    let mut fed = Fed::new(at_most(10));
    fed.append("a.x", "1", 0).wake();
    drop(fed.appender.lost_in(&"a.x".parse().unwrap(), 2));
    let mut subscriber = fed.hub.subscribe(&filters(&["a.*"]), Position::Now);
    let mut other = fed.hub.subscribe(&filters(&["b.*"]), Position::Now);
    let (id, topic, at) = (fed.cursor(3), "b.x".parse().unwrap(), Timestamp::from_millis(0));
    fed.appender.append([Message { id, topic, text: "3".into(), event: None, at, traceparent: None }]).wake();
    let gap = Gap { reason: GapReason::Lagged, since: fed.cursor(1), cursor: fed.cursor(2) };
    assert_eq!(subscriber.read(&JSON, ALL).gap, Some(gap));
    assert_eq!(read_whole(&mut other), ["3"], "it is of another topic");
}
