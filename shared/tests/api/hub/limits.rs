use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use shared::backplane::{Backplane, Memory, Publication};
use shared::cursor::Position;
use shared::gap::GapReason;
use shared::hub::HistoryLimits;
use shared::message::Draft;
use shared::moment::Moment;
use shared::publisher::PublisherId;
use shared::timestamp::Timestamp;
use shared::topic::Topic;
use shared::wall_clock::WallClock;

use super::{ALL, Fed, History, JSON, ROOMY, at_most, filters, read_whole};

#[test]
fn each_topic_holds_so_many_messages() {
    let history = History::new(at_most(2));
    history.publish_all("a", &["1", "2", "3"]);
    history.publish_all("b", &["4"]);
    history.publish_all("c", &["5", "6", "7", "8", "9"]);
    assert_eq!(read_whole(&mut history.follow(&["a", "b", "c"], Position::Earliest)), ["2", "3", "4", "8", "9"]);
    let one = History::new(at_most(1));
    one.publish_all("a", &["1", "2"]);
    one.publish("a", "3");
    assert_eq!(read_whole(&mut one.follow(&["a"], Position::Earliest)), ["3"]);
}

#[test]
fn a_message_is_held_for_so_long_and_not_shorter() {
    let mut fed = Fed::new(HistoryLimits { age: Duration::from_millis(100), ..ROOMY });
    for (topic, at) in [("a", 1000), ("b", 1001), ("a", 1002)] {
        fed.append(topic, &at.to_string(), at).wake();
    }
    for (now, held) in [(1000, &["1000", "1001", "1002"][..]), (1100, &["1000", "1001", "1002"])] {
        fed.appender.evict_aged(Moment::from_millis(now));
        assert_eq!(read_whole(&mut fed.hub.subscribe(&filters(&["*"]), Position::Earliest)), held, "at {now}");
    }
    for (now, held) in [(1101, &["1001", "1002"][..]), (1102, &["1002"]), (1103, &[])] {
        fed.appender.evict_aged(Moment::from_millis(now));
        assert_eq!(read_whole(&mut fed.hub.subscribe(&filters(&["*"]), Position::Earliest)), held, "at {now}");
    }
}

#[tokio::test(start_paused = true)]
async fn old_messages_go_without_anything_being_published() {
    let history = History::new(HistoryLimits { age: Duration::from_secs(60), ..ROOMY });
    let start = history.hub.head();
    history.publish_all("main", &["1", "2"]);
    let run = tokio::spawn(history.memory.clone().run());
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(history.hub.topics(), 1);
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(history.hub.topics(), 0, "nothing was evicted");
    let gap = history.follow(&["main"], Position::At(start)).read(&JSON, ALL).gap.unwrap();
    assert_eq!((gap.reason, gap.cursor), (GapReason::Expired, history.hub.head()));
    assert!(!run.is_finished(), "the backplane's work never ends");
    run.abort();
}

/// A clock that a test sets.
#[derive(Debug, Clone, Default)]
struct SetClock(Arc<AtomicU64>);

impl WallClock for SetClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::Relaxed))
    }
}

#[tokio::test(start_paused = true)]
async fn a_wall_clock_that_is_set_changes_dates_and_no_ages() {
    const DAY: u64 = 24 * 60 * 60 * 1000;
    let clock = SetClock::default();
    let (memory, hub) = Memory::new(HistoryLimits { age: Duration::from_secs(60), ..ROOMY }, 10);
    let memory = Arc::new(memory.dated_by(clock.clone()));
    let run = tokio::spawn(Arc::clone(&memory).run());
    for (text, now) in [("before", 9 * DAY), ("ahead", 11 * DAY), ("after", 9 * DAY + 1), ("behind", DAY)] {
        clock.0.store(now, Ordering::Relaxed);
        let drafts = vec![Draft::text(text)];
        let receipt = memory.publish(Publication::new(Topic::default(), drafts, None)).await.unwrap();
        assert_eq!(receipt.each().next().unwrap().at.as_millis(), now, "{text}");
        tokio::time::sleep(Duration::from_secs(10)).await;
    }
    // 40 s have passed.
    let held = || read_whole(&mut hub.subscribe(&filters(&["main"]), Position::Earliest));
    assert_eq!(held(), ["before", "ahead", "after", "behind"]);
    tokio::time::sleep(Duration::from_secs(35)).await;
    assert_eq!(held(), ["after", "behind"]);
    clock.0.store(99 * DAY, Ordering::Relaxed);
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert_eq!(held(), ["behind"]);
    run.abort();
}

#[test]
fn all_topics_together_hold_so_many_bytes_and_the_oldest_go_first() {
    let limit = 50_000;
    let mut fed = Fed::new(HistoryLimits { bytes: limit, ..ROOMY });
    let text = "x".repeat(500);
    for offset in 1..=200_u64 {
        fed.append(["a", "b", "c.d"][offset as usize % 3], &text, offset).wake();
        assert!(fed.appender.bytes() <= limit, "{} bytes after {offset}", fed.appender.bytes());
    }
    let batch = fed.hub.subscribe(&filters(&[">"]), Position::Earliest).read(&JSON, ALL);
    let held: Vec<u64> = batch.entries.iter().map(|entry| entry.message.id.offset).collect();
    assert_eq!(held, (201 - held.len() as u64..=200).collect::<Vec<_>>());
    assert!(held.len() * (2 * text.len()) > limit / 2, "the room is used: {} messages", held.len());
}

#[test]
fn a_topic_that_is_flooded_loses_its_own_messages() {
    let limit = 100_000;
    let mut fed = Fed::new(HistoryLimits { bytes: limit, ..ROOMY });
    let quiet: Vec<String> = (0..20).map(|number| format!("quiet.{number}")).collect();
    for topic in &quiet {
        fed.append(topic, "1", 0).wake();
    }
    let mut subscribers: Vec<_> =
        quiet.iter().map(|topic| fed.hub.subscribe(&filters(&[topic]), Position::Earliest)).collect();
    for number in 0..2000 {
        fed.append(["flood", "other-flood"][number % 2], &format!("{number} {}", "x".repeat(1000)), 0).wake();
        assert!(fed.appender.bytes() <= limit, "{} bytes", fed.appender.bytes());
        if number == 1000 {
            quiet.iter().for_each(|topic| fed.append(topic, "2", 0).wake());
        }
    }
    for subscriber in &mut subscribers {
        assert_eq!(read_whole(subscriber), ["1", "2"], "and no gap");
    }
    let floods = read_whole(&mut fed.hub.subscribe(&filters(&["flood", "other-flood"]), Position::Earliest));
    let numbers: Vec<usize> = floods.iter().map(|text| text.split(' ').next().unwrap().parse().unwrap()).collect();
    assert_eq!(numbers, (2000 - numbers.len()..2000).collect::<Vec<_>>(), "the newest of both, in their order");
    assert!(numbers.len() > 30, "the room is used: {}", numbers.len());
}

#[test]
fn a_publisher_that_floods_many_topics_loses_its_own_messages() {
    let limit = 200_000;
    let mut fed = Fed::new(HistoryLimits { bytes: limit, ..ROOMY });
    let [flooding, steady] = [1, 2].map(PublisherId::from_hash);
    // More than a share of one publisher, each topic less than its own.
    let topics: Vec<String> = (0..20).map(|number| format!("steady.{number}")).collect();
    for topic in &topics {
        fed.append_by(Some(steady), topic, &"s".repeat(1000)).wake();
    }
    fed.append("nobody", "n", 0).wake();
    let mut quiet = fed.hub.subscribe(&filters(&["quiet"]), Position::Now);
    fed.append_by(Some(PublisherId::from_hash(3)), "quiet", "q").wake();
    for number in 0..5000 {
        let topic = format!("flood.{}", number % 1000);
        fed.append_by(Some(flooding), &topic, &format!("{number} {}", "x".repeat(fastrand::usize(..500)))).wake();
        assert!(fed.appender.bytes() <= limit, "{} bytes", fed.appender.bytes());
    }
    let held = |names: &[&str]| read_whole(&mut fed.hub.subscribe(&filters(names), Position::Earliest));
    assert_eq!(held(&["steady.*"]).len(), topics.len());
    assert_eq!((held(&["nobody"]), read_whole(&mut quiet)), (vec!["n".into()], vec!["q".into()]));
    let numbers: Vec<usize> =
        held(&["flood.*"]).iter().map(|text| text.split(' ').next().unwrap().parse().unwrap()).collect();
    assert_eq!(numbers, (5000 - numbers.len()..5000).collect::<Vec<_>>(), "the newest, in their order");
    assert!(numbers.len() > 100, "the room is used: {}", numbers.len());
}

#[test]
fn a_publisher_does_not_push_out_messages_of_others_in_front_of_its_own() {
    let mut fed = Fed::new(HistoryLimits { bytes: 100_000, ..ROOMY });
    let [flooding, steady] = [1, 2].map(PublisherId::from_hash);
    let topics: Vec<String> = (0..10).map(|number| format!("steady.{number}")).collect();
    for topic in &topics {
        fed.append_by(Some(steady), topic, "s").wake();
        fed.append_by(Some(flooding), topic, "behind it").wake();
    }
    for number in 0..5000 {
        fed.append_by(Some(flooding), &format!("flood.{}", number % 100), &"x".repeat(500)).wake();
    }
    let held = read_whole(&mut fed.hub.subscribe(&filters(&["steady.*"]), Position::Earliest));
    assert_eq!(held.iter().filter(|text| *text == "s").count(), topics.len());
}

#[test]
fn the_newest_message_is_held_though_it_takes_more_than_a_share() {
    let mut fed = Fed::new(HistoryLimits { bytes: 100_000, ..ROOMY });
    let mut subscriber = fed.hub.subscribe(&filters(&["large"]), Position::Now);
    for number in 0..1000 {
        fed.append(&format!("small.{number}"), &"x".repeat(100), 0).wake();
    }
    let large = "x".repeat(20_000);
    fed.append("large", &large, 0).wake();
    assert_eq!(read_whole(&mut subscriber), [large]);
}

#[test]
fn there_is_room_for_topics_up_to_a_number_and_always_for_those_that_are_kept() {
    let mut fed = Fed::new(ROOMY);
    fed.append("a", "m", 0).wake();
    let _followed = fed.hub.subscribe(&filters(&["b"]), Position::Now);
    let has_room = |topics: &[&str], most| {
        let topics: Vec<Topic> = topics.iter().map(|topic| topic.parse().unwrap()).collect();
        fed.hub.has_room_for(&topics, most)
    };
    assert!(has_room(&["c"], 3) && !has_room(&["c"], 2) && !has_room(&["a", "c", "d"], 3));
    assert!(has_room(&["a", "b"], 1), "though there are more, which other processes may have brought");
}

#[test]
fn patterns_that_are_followed_count() {
    let mut fed = Fed::new(ROOMY);
    fed.append("a", "m", 0).wake();
    let before = fed.appender.bytes();
    let follow = |filters: &[&str]| fed.hub.subscribe(&self::filters(filters), Position::Now);
    let (one, same, other) = (follow(&["*"]), follow(&["*", "a"]), follow(&["a.*"]));
    assert_eq!(fed.hub.patterns_with(&filters(&["*", "b", "b.*"])), 3);
    let per_pattern = (fed.appender.bytes() - before) / 2;
    assert!(per_pattern >= 1024, "{per_pattern}");
    drop((one, other));
    assert_eq!((fed.appender.bytes() - before, fed.hub.patterns_with(&[])), (per_pattern, 1));
    drop(same);
    assert_eq!((fed.appender.bytes() - before, fed.hub.patterns_with(&[])), (0, 0));
}

#[test]
fn the_newest_message_is_held_however_large() {
    let mut fed = Fed::new(HistoryLimits { bytes: 1, ..ROOMY });
    let mut subscriber = fed.hub.subscribe(&filters(&["*"]), Position::Now);
    for offset in 1..=3 {
        fed.append(["a", "b"][offset % 2], &offset.to_string(), 0).wake();
        assert_eq!(read_whole(&mut subscriber), [offset.to_string()]);
    }
    assert_eq!(read_whole(&mut fed.hub.subscribe(&filters(&["*"]), Position::Earliest)), ["3"]);
}

#[test]
fn what_was_counted_is_given_back() {
    let mut fed = Fed::new(HistoryLimits { messages: 3, age: Duration::from_millis(100), bytes: 5000 });
    for offset in 0..100_u64 {
        fed.append(&format!("t.{}", offset % 7), &"x".repeat(offset as usize), offset).wake();
    }
    assert!(fed.appender.bytes() > 0);
    fed.appender.evict_aged(Moment::from_millis(100_000));
    assert_eq!((fed.appender.bytes(), fed.hub.topics()), (0, 0));
}

#[test]
fn a_topic_that_nobody_uses_costs_nothing_and_its_losses_are_still_reported() {
    let mut fed = Fed::new(HistoryLimits { age: Duration::from_millis(100), ..ROOMY });
    assert_eq!(fed.hub.topics(), 0);
    fed.append("a.b", "1", 1000).wake();
    assert_eq!(fed.hub.topics(), 1);
    fed.appender.evict_aged(Moment::from_millis(2000));
    assert_eq!(fed.hub.topics(), 0, "neither messages nor subscribers");

    let since = fed.cursor(0);
    for topics in [&["a.b"][..], &["a.*"], &["x", "a.b"]] {
        let batch = fed.hub.subscribe(&filters(topics), Position::At(since)).read(&JSON, ALL);
        assert_eq!(batch.gap.map(|gap| (gap.reason, gap.since)), Some((GapReason::Expired, since)), "{topics:?}");
    }
    assert_eq!(fed.hub.topics(), 0, "subscribers that left leave nothing");

    fed.append("a.b", "2", 3000).wake();
    let batch = fed.hub.subscribe(&filters(&["a.b"]), Position::At(since)).read(&JSON, ALL);
    assert!(batch.gap.is_some(), "the topic is back, its first message is not");
    assert_eq!(batch.entries.len(), 1);
}

#[test]
fn a_topic_stays_as_long_as_somebody_follows_it() {
    let mut fed = Fed::new(HistoryLimits { age: Duration::from_millis(100), ..ROOMY });
    let mut subscriber = fed.hub.subscribe(&filters(&["a"]), Position::Now);
    let twin = fed.hub.subscribe(&filters(&["a"]), Position::Now);
    assert_eq!(fed.hub.topics(), 1);
    drop(twin);
    fed.append("a", "1", 1000).wake();
    assert_eq!(read_whole(&mut subscriber), ["1"]);
    fed.appender.evict_aged(Moment::from_millis(2000));
    assert_eq!(fed.hub.topics(), 1);
    fed.append("a", "2", 3000).wake();
    assert_eq!(read_whole(&mut subscriber), ["2"]);
    fed.appender.evict_aged(Moment::from_millis(4000));
    drop(subscriber);
    assert_eq!(fed.hub.topics(), 0);
}

#[test]
fn a_subscriber_of_a_pattern_gets_a_gap_for_what_a_dropped_topic_lost() {
    let mut fed = Fed::new(HistoryLimits { age: Duration::from_millis(100), ..ROOMY });
    let mut subscriber = fed.hub.subscribe(&filters(&["a.*"]), Position::Now);
    fed.append("a.b", "1", 1000).wake();
    fed.appender.evict_aged(Moment::from_millis(2000));
    assert_eq!(fed.hub.topics(), 0);
    fed.append("a.b", "2", 3000).wake();
    let batch = subscriber.read(&JSON, ALL);
    assert_eq!(
        batch.gap.map(|gap| (gap.reason, gap.since, gap.cursor)),
        Some((GapReason::Lagged, fed.cursor(0), fed.cursor(1)))
    );
    assert_eq!(batch.entries.len(), 1);
}
