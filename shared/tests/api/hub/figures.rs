//! The figures by which a service is watched: messages counted as they are read, and how far the slowest reader is behind.

use std::time::Duration;

use shared::cursor::Position;
use shared::hub::{BatchLimit, Subscriber, Tally};
use tokio::time::{Instant, advance};

use super::{ALL, History, JSON, ROOMY, at_most};

/// Reads everything in batches of two, in one way or the other, and returns their tallies.
fn tallies(subscriber: &mut Subscriber, encoded: bool) -> Vec<Tally> {
    let two = BatchLimit { messages: 2, ..ALL };
    let mut tallies = Vec::new();
    loop {
        let (tally, more) = if encoded {
            let batch = subscriber.read_encoded(&JSON, two);
            (batch.tally, batch.more)
        } else {
            let batch = subscriber.read(&JSON, two);
            (batch.tally, batch.more)
        };
        tallies.extend((tally.messages > 0).then_some(tally));
        if !more {
            return tallies;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn messages_from_before_the_subscription_are_counted_as_replayed() {
    for (topics, encoded) in [(&["a"][..], true), (&["a"], false), (&["a", "b"], true), (&["*"], true), (&["*"], false)]
    {
        let history = History::new(ROOMY);
        history.publish_all("a", &["1", "2", "3"]);
        let mut subscriber = history.follow(topics, Position::Earliest);
        advance(Duration::from_millis(5)).await;
        let appended = Some(Instant::now());
        history.publish_all("a", &["4", "5"]);
        let tallies = tallies(&mut subscriber, encoded);
        let sum = |count: fn(&Tally) -> u32| tallies.iter().map(count).sum::<u32>();
        assert_eq!((sum(|tally| tally.messages), sum(|tally| tally.replayed)), (5, 3), "{topics:?} {tallies:?}");
        for tally in &tallies {
            assert_eq!(tally.appended, appended.filter(|_| tally.replayed < tally.messages), "{topics:?} {tallies:?}");
        }
    }
}

#[test]
fn the_slowest_reader_of_any_topic_or_pattern_is_so_far_behind() {
    let history = History::new(at_most(5));
    let mut one = history.follow(&["a"], Position::Now);
    let mut many = history.follow(&["a", "b.*"], Position::Now);
    let mut quiet = history.follow(&["quiet"], Position::Now);
    assert_eq!(history.hub.lag(), 0);
    history.publish_all("a", &["1", "2"]);
    history.publish_all("b.c", &["3", "4", "5"]);
    assert_eq!(history.hub.lag(), 3, "of b.*");
    tallies(&mut many, true);
    assert_eq!(history.hub.lag(), 2, "of a");
    tallies(&mut one, true);
    tallies(&mut quiet, true);
    assert_eq!(history.hub.lag(), 0);
    history.publish_all("a", &["x"; 20]);
    assert_eq!(history.hub.lag(), 5, "no more than is held");
    let follower = history.follow(&["a"], Position::Earliest);
    tallies(&mut one, false);
    tallies(&mut many, false);
    assert_eq!(history.hub.lag(), 5, "of the one that has just come");
    drop(follower);
    assert_eq!(history.hub.lag(), 0);
}

#[test]
fn the_largest_topics_come_first() {
    let history = History::new(ROOMY);
    let text = "x".repeat(1000);
    for number in 0..2000_usize {
        let texts = vec![text.as_str(); 1 + number % 7];
        history.publish_all(&format!("topic.{number}"), &texts);
    }
    history.publish("large", &"x".repeat(20_000));
    history.publish_all("largest", &["x"; 500]);
    let _follower = history.follow(&["largest", "topic.6"], Position::Now);
    let _of_pattern = history.follow(&["*"], Position::Now);
    let largest = history.hub.largest_topics(5);
    let names: Vec<&str> = largest.iter().map(|topic| topic.topic.as_str()).collect();
    assert_eq!((&names[..2], names.len()), (&["largest", "large"][..], 5), "{largest:?}");
    assert!(largest.is_sorted_by(|one, other| one.bytes >= other.bytes), "{largest:?}");
    assert_eq!((largest[0].messages, largest[0].followers, largest[1].followers), (500, 1, 0));
    assert!(largest[2..].iter().all(|topic| topic.messages == 7), "{largest:?}");
    assert_eq!(history.hub.largest_topics(0), []);
}

#[test]
fn of_very_many_topics_the_slowest_reader_is_found() {
    let history = History::new(ROOMY);
    let topic = |number: usize| format!("topic.{number}");
    let mut subscribers: Vec<_> = (0..3000).map(|number| history.follow(&[&topic(number)], Position::Now)).collect();
    for number in [0, 1, 1023, 1024, 1025, 2999] {
        history.publish_all(&topic(number), &["1", "2"]);
        assert_eq!(history.hub.lag(), 2, "{number}");
        tallies(&mut subscribers[number], true);
        assert_eq!(history.hub.lag(), 0, "{number}");
    }
}
