use shared::cursor::{Cursor, Epoch, Position};
use shared::gap::{Gap, GapReason};
use shared::hub::BatchLimit;

use super::{ALL, History, JSON, ROOMY, at_most, read_whole, texts};

#[test]
fn resuming_from_any_message_misses_nothing_and_repeats_nothing() {
    let history = History::new(ROOMY);
    let topics = ["a", "b", "a", "c", "b", "a", "c", "c"];
    let ids: Vec<Cursor> = topics.iter().map(|topic| history.publish(topic, topic)).collect();
    for (index, id) in ids.iter().enumerate() {
        for filters in [&["a", "b", "c"][..], &[">"], &["a"], &["*", "b"]] {
            let expected =
                topics[index + 1..].iter().filter(|topic| filters.len() > 1 || filters[0] != "a" || **topic == "a");
            let mut subscriber = history.follow(filters, Position::At(*id));
            assert_eq!(read_whole(&mut subscriber), expected.copied().collect::<Vec<_>>(), "{filters:?} after {id}");
        }
    }
}

#[test]
fn a_subscriber_can_leave_and_come_back_at_any_cursor_that_it_was_given() {
    let history = History::new(ROOMY);
    let mut cursor = history.hub.head();
    let mut seen = Vec::new();
    for round in 0..20 {
        history.publish_all(["a", "b", "unwanted"][round % 3], &["x", "y"]);
        let mut subscriber = history.follow(&["a", "b"], Position::At(cursor));
        let batch = subscriber.read(&JSON, BatchLimit { messages: 1, ..ALL });
        assert_eq!(batch.gap, None);
        seen.extend(batch.entries.iter().map(|entry| entry.message.id));
        cursor = subscriber.cursor();
    }
    let rest = history.follow(&["a", "b"], Position::At(cursor)).read(&JSON, ALL);
    seen.extend(rest.entries.iter().map(|entry| entry.message.id));
    let all = history.follow(&["a", "b"], Position::Earliest).read(&JSON, ALL);
    assert_eq!(seen, all.entries.iter().map(|entry| entry.message.id).collect::<Vec<_>>());
}

#[test]
fn a_cursor_is_valid_for_every_topic() {
    let history = History::new(ROOMY);
    history.publish("a", "before");
    let cursor = history.publish("b", "here");
    history.publish("a", "after");
    assert_eq!(read_whole(&mut history.follow(&["a"], Position::At(cursor))), ["after"]);
    assert!(history.follow(&["never-used"], Position::At(cursor)).read(&JSON, ALL).is_empty());
}

#[test]
fn now_is_after_everything_and_earliest_before_all_that_is_held() {
    let history = History::new(at_most(2));
    let ids = history.publish_all("main", &["1", "2", "3"]);
    let mut now = history.follow(&["main"], Position::Now);
    let mut earliest = history.follow(&["main"], Position::Earliest);
    assert_eq!(now.cursor(), ids[2]);
    assert_eq!(now.cursor(), history.hub.head());
    assert_eq!(earliest.cursor(), ids[0], "just before the oldest held");
    assert!(now.read(&JSON, ALL).is_empty());
    assert_eq!(read_whole(&mut earliest), ["2", "3"], "who asks for the earliest has missed nothing");
    history.publish("main", "4");
    assert_eq!(read_whole(&mut now), ["4"]);
    assert_eq!(read_whole(&mut earliest), ["4"]);
}

#[test]
fn an_empty_history_has_a_cursor_to_begin_from() {
    let history = History::new(ROOMY);
    for from in [Position::Now, Position::Earliest] {
        let cursor = history.follow(&["main"], from).cursor();
        let fresh = History { memory: history.memory.clone(), hub: history.hub.clone() };
        let mut subscriber = fresh.follow(&["main"], Position::At(cursor));
        assert!(subscriber.read(&JSON, ALL).is_empty());
    }
    let cursor = history.hub.head();
    history.publish("main", "1");
    assert_eq!(read_whole(&mut history.follow(&["main"], Position::At(cursor))), ["1"]);
}

#[test]
fn a_cursor_of_another_history_gets_a_gap_and_then_all_that_is_held() {
    let history = History::new(at_most(2));
    let ids = history.publish_all("main", &["1", "2", "3"]);
    let foreign = Cursor { epoch: Epoch::new(1), offset: 2 };
    let future = Cursor { offset: ids[2].offset + 1, ..ids[2] };
    let farthest = Cursor { offset: u64::MAX, ..ids[2] };
    for since in [foreign, future, farthest] {
        let mut subscriber = history.follow(&["main"], Position::At(since));
        let batch = subscriber.read(&JSON, ALL);
        assert_eq!(batch.gap, Some(Gap { reason: GapReason::Epoch, since, cursor: ids[0] }));
        assert_eq!(texts(&batch), ["2", "3"]);
        assert!(subscriber.read(&JSON, ALL).is_empty(), "reported once");
    }
}

#[test]
fn a_cursor_of_another_history_gets_a_gap_even_where_there_is_nothing_to_read() {
    let history = History::new(ROOMY);
    let since = Cursor { epoch: Epoch::new(1), offset: 0 };
    let batch = history.follow(&["main", "x.>"], Position::At(since)).read(&JSON, ALL);
    assert_eq!(batch.gap, Some(Gap { reason: GapReason::Epoch, since, cursor: history.hub.head() }));
    assert!(!batch.is_empty(), "a gap alone is worth an answer");
}
