use std::time::Duration;

use shared::cursor::{Cursor, Epoch, Position};
use shared::gap::{Gap, GapReason};
use shared::hub::{BatchLimit, HistoryLimits};
use shared::message::Message;
use shared::moment::Moment;
use shared::timestamp::Timestamp;

use super::{ALL, Fed, History, JSON, ROOMY, at_most, filters, read_whole, texts};

const ONE: BatchLimit = BatchLimit { messages: 1, ..ALL };

#[test]
fn a_client_that_comes_back_too_late_gets_a_gap_and_what_is_still_held() {
    let history = History::new(at_most(3));
    let ids = history.publish_all("main", &["1", "2", "3", "4", "5"]);
    let mut subscriber = history.follow(&["main"], Position::At(ids[0]));
    let batch = subscriber.read(&JSON, ALL);
    assert_eq!(batch.gap, Some(Gap { reason: GapReason::Expired, since: ids[0], cursor: ids[1] }));
    assert_eq!(texts(&batch), ["3", "4", "5"]);
    assert!(subscriber.read(&JSON, ALL).is_empty(), "reported once");

    let mut subscriber = history.follow(&["main"], Position::At(ids[1]));
    assert_eq!(read_whole(&mut subscriber), ["3", "4", "5"], "the gap's cursor is a position without a gap");
}

#[test]
fn the_gap_comes_before_the_messages_and_only_in_the_first_batch() {
    let history = History::new(at_most(2));
    let ids = history.publish_all("main", &["1", "2", "3", "4"]);
    let mut subscriber = history.follow(&["main"], Position::At(ids[0]));
    let batch = subscriber.read(&JSON, ONE);
    assert_eq!((batch.gap.map(|gap| gap.reason), texts(&batch)), (Some(GapReason::Expired), vec!["3"]));
    assert_eq!(read_whole(&mut subscriber), ["4"]);
}

#[test]
fn a_subscriber_that_does_not_read_gets_a_gap_for_what_it_missed() {
    let history = History::new(at_most(2));
    for topics in [&["main"][..], &["*"], &["main", "other"]] {
        let mut subscriber = history.follow(topics, Position::Now);
        let start = subscriber.cursor();
        let ids = history.publish_all("main", &["1", "2", "3", "4", "5"]);
        let batch = subscriber.read(&JSON, ALL);
        assert_eq!(batch.gap, Some(Gap { reason: GapReason::Lagged, since: start, cursor: ids[2] }), "{topics:?}");
        assert_eq!(texts(&batch), ["4", "5"]);
        assert!(subscriber.read(&JSON, ALL).is_empty(), "reported once");
    }
}

#[test]
fn two_losses_before_one_read_are_one_gap() {
    let history = History::new(at_most(2));
    let ids = history.publish_all("main", &["1", "2", "3", "4"]);
    let mut subscriber = history.follow(&["main"], Position::At(ids[0]));
    let later = history.publish_all("main", &["5", "6", "7"]);
    let batch = subscriber.read(&JSON, ALL);
    assert_eq!(batch.gap, Some(Gap { reason: GapReason::Expired, since: ids[0], cursor: later[0] }));
    assert_eq!(texts(&batch), ["6", "7"]);
}

#[test]
fn a_loss_by_age_is_reported() {
    let mut fed = Fed::new(HistoryLimits { age: Duration::from_millis(100), ..ROOMY });
    for (text, at) in [("1", 1000), ("2", 1050), ("3", 1100)] {
        fed.append("main", text, at).wake();
    }
    fed.appender.evict_aged(Moment::from_millis(1151));
    let batch = fed.hub.subscribe(&filters(&["main"]), Position::At(fed.cursor(1))).read(&JSON, ALL);
    let gap = Gap { reason: GapReason::Expired, since: fed.cursor(1), cursor: fed.cursor(2) };
    assert_eq!((batch.gap, texts(&batch)), (Some(gap), vec!["3"]));
}

#[test]
fn a_loss_by_bytes_is_reported() {
    let history = History::new(HistoryLimits { bytes: 20_000, ..ROOMY });
    let first = history.publish("main", "first");
    let big = "x".repeat(4000);
    for _ in 0..5 {
        history.publish("main", &big);
    }
    let batch = history.follow(&["main"], Position::At(history.hub.head())).read(&JSON, ALL);
    assert!(batch.is_empty());
    let batch = history.follow(&["main"], Position::At(first)).read(&JSON, ALL);
    let gap = batch.gap.unwrap();
    assert_eq!((gap.reason, gap.since), (GapReason::Expired, first));
    assert_eq!(gap.cursor.offset + 1, batch.entries[0].message.id.offset, "just before the oldest held");
    assert_eq!(history.follow(&["main"], Position::At(gap.cursor)).read(&JSON, ALL).gap, None);
}

#[test]
fn where_nothing_is_left_the_gap_leads_to_the_end() {
    let mut fed = Fed::new(HistoryLimits { age: Duration::from_millis(100), ..ROOMY });
    fed.append("main", "1", 1000).wake();
    fed.append("main", "2", 1000).wake();
    fed.appender.evict_aged(Moment::from_millis(9999));
    for topics in [&["main"][..], &[">"], &["main", "x"]] {
        let batch = fed.hub.subscribe(&filters(topics), Position::At(fed.cursor(0))).read(&JSON, ALL);
        let gap = Gap { reason: GapReason::Expired, since: fed.cursor(0), cursor: fed.cursor(2) };
        assert_eq!((batch.gap, batch.entries.len()), (Some(gap), 0), "{topics:?}");
    }
}

/// A client that keeps the gap's cursor has all that comes after it, of every topic.
#[test]
fn a_gap_covers_all_that_is_missing_of_several_topics() {
    let history = History::new(at_most(2));
    let quiet = history.publish("quiet", "q");
    let ids = history.publish_all("busy", &["1", "2", "3", "4"]);
    let start = Cursor { offset: 0, ..quiet };
    for topics in [&["quiet", "busy"][..], &["*"]] {
        let batch = history.follow(topics, Position::At(start)).read(&JSON, ALL);
        assert_eq!(batch.gap, Some(Gap { reason: GapReason::Expired, since: start, cursor: ids[1] }), "{topics:?}");
        assert_eq!(texts(&batch), ["3", "4"]);
    }
    assert_eq!(read_whole(&mut history.follow(&["quiet"], Position::At(start))), ["q"]);
    assert_eq!(read_whole(&mut history.follow(&["quiet", "busy"], Position::At(ids[1]))), ["3", "4"]);
}

#[test]
fn a_subscriber_from_the_earliest_gets_all_that_is_held_and_gaps_for_later_losses_alone() {
    for topics in [&["a", "b"][..], &["*"]] {
        let history = History::new(at_most(3));
        let ids = history.publish_all("a", &["a1", "a2", "a3"]);
        history.publish_all("b", &["b1", "b2", "b3", "b4", "b5", "b6"]);
        let mut subscriber = history.follow(topics, Position::Earliest);
        let batch = subscriber.read(&JSON, ONE);
        assert_eq!((batch.gap, texts(&batch)), (None, vec!["a1"]));

        history.publish_all("a", &["a4", "a5"]);
        let batch = subscriber.read(&JSON, ALL);
        let gap = Gap { reason: GapReason::Lagged, since: ids[0], cursor: ids[1] };
        assert_eq!(batch.gap, Some(gap), "a2 is gone: {topics:?}");
        assert_eq!(texts(&batch), ["a3", "b4", "b5", "b6", "a4", "a5"]);
    }
}

/// A publication becomes visible as a whole, but more than a topic holds of it pushes its own first messages out before.
#[test]
fn a_loss_of_messages_that_nobody_could_read_yet_is_reported() {
    let mut fed = Fed::new(at_most(2));
    let mut subscriber = fed.hub.subscribe(&filters(&["a", "b"]), Position::Now);
    fed.append("a", "1", 0).wake();
    let message = |offset, topic: &str| Message {
        id: Cursor { epoch: Epoch::new(7), offset },
        topic: topic.parse().unwrap(),
        text: offset.to_string().into(),
        event: None,
        at: Timestamp::from_millis(0),
        traceparent: None,
    };
    let mut batches = Vec::new();
    let messages = [(2, "a"), (3, "a"), (4, "a"), (5, "a"), (6, "b")].map(|(offset, topic)| message(offset, topic));
    let read_before_the_last = messages.into_iter().inspect(|message| {
        if message.id.offset == 6 {
            batches.push(subscriber.read(&JSON, ALL));
        }
    });
    fed.appender.append(read_before_the_last).wake();
    batches.push(subscriber.read(&JSON, ALL));

    let mut position = 0;
    for batch in batches {
        position = batch.gap.map_or(position, |gap| gap.cursor.offset);
        for entry in batch.entries {
            assert_eq!(entry.message.id.offset, position + 1, "what is between was lost and not reported");
            position += 1;
        }
    }
    assert_eq!(position, 6);
}
