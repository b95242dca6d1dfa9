use super::{Record, Score};
use crate::cuts::events::{Event, Gap};
use crate::cuts::ledger::{Cursor, Entry, Ledger};

/// A message of topic 0: number 10 + offset, sent at 1000 times its order and accepted 10 later.
fn entry(order: u64, epoch: &str, offset: u64) -> Entry {
    let cursor = Some(Cursor { epoch: epoch.into(), offset });
    Entry { number: 10 + order, topic: 0, sent: order * 1000, accepted: order * 1000 + 10, cursor }
}

/// Offsets 1 to 10 of the epoch `a`, numbers 11 to 20.
fn ten() -> Ledger {
    Ledger::new((1..=10).map(|order| entry(order, "a", order)).collect(), vec![])
}

/// Offsets 1 to 5 of `a` (numbers 11 to 15), then 1 to 5 of `b` (16 to 20).
fn restarted() -> Ledger {
    let first = (1..=5).map(|order| entry(order, "a", order));
    let second = (6..=10).map(|order| entry(order, "b", order - 5));
    Ledger::new(first.chain(second).collect(), vec![])
}

fn messages(numbers: impl IntoIterator<Item = u64>) -> Vec<Event> {
    numbers.into_iter().map(|number| Event::Message { number, at: (number - 10) * 1000 + 500 }).collect()
}

fn gap(reason: &str, since: &str, cursor: &str) -> Event {
    Event::Gap(Box::new(Gap { reason: reason.into(), since: since.into(), cursor: cursor.into() }))
}

fn score(ledger: &Ledger, events: Vec<Event>) -> Score {
    Score::of(ledger, &[Record { topic: Some(0), events }])
}

fn concat(parts: impl IntoIterator<Item = Vec<Event>>) -> Vec<Event> {
    parts.into_iter().flatten().collect()
}

#[test]
fn everything_once_and_in_order_is_clean() {
    let score = score(&ten(), messages(11..=20));
    assert!(score.is_clean(), "{score:?}");
    assert_eq!((score.expected, score.received, score.missing), (10, 10, 0));
    assert_eq!((score.delay.p50, score.delay.max), (500, 500));
}

#[test]
fn a_run_without_messages_proves_nothing() {
    assert!(!score(&Ledger::default(), vec![]).is_clean());
}

#[test]
fn a_hole_is_missing() {
    let score = score(&ten(), messages((11..=20).filter(|&number| number != 14)));
    assert_eq!((score.expected, score.received, score.missing), (10, 9, 1));
    assert!(!score.is_clean());
    assert_eq!(score.examples, ["client 0: 1 missing in a row from message 14 on, unreported"]);
}

#[test]
fn an_end_that_never_comes_is_missing() {
    let score = score(&ten(), messages(11..=17));
    assert_eq!((score.missing, score.never_caught_up), (3, 1));
}

#[test]
fn a_client_without_any_message_misses_all() {
    let score = score(&ten(), vec![Event::Joined(0)]);
    assert_eq!((score.missing, score.never_caught_up), (10, 1));
}

#[test]
fn a_message_that_comes_again_is_twice() {
    let score = score(&ten(), concat([messages(11..=15), messages(15..=20)]));
    assert_eq!((score.twice, score.out_of_order, score.missing, score.received), (1, 0, 0, 10));
    assert!(!score.is_clean());
}

#[test]
fn messages_that_change_places_are_out_of_order_and_not_missing() {
    let score = score(&ten(), messages([11, 13, 12, 14, 15, 16, 17, 18, 19, 20]));
    assert_eq!((score.out_of_order, score.missing, score.twice), (1, 0, 0));
    assert!(!score.is_clean());
}

#[test]
fn the_first_position_says_from_where_on_messages_are_due() {
    let late = |from| concat([vec![Event::Position("a-4".into())], messages(from..=20)]);
    let clean = score(&ten(), late(15));
    assert!(clean.is_clean(), "{clean:?}");
    assert_eq!(clean.expected, 6);
    // One message too many does no harm, one too few is missing.
    assert_eq!(score(&ten(), late(14)).astray, 1);
    assert_eq!(score(&ten(), late(16)).missing, 1);
}

#[test]
fn a_gap_covers_exactly_what_it_says() {
    let gap_of = |since, cursor, from| {
        score(&ten(), concat([messages(11..=13), vec![gap("expired", since, cursor)], messages(from..=20)]))
    };
    let exact = gap_of("a-3", "a-7", 18);
    assert!(exact.is_clean(), "{exact:?}");
    assert_eq!((exact.lost_reported, exact.received, exact.missing), (4, 6, 0));
    assert_eq!(exact.gaps.get("expired"), Some(&1));
    // A gap that ends too early, and one that begins too late.
    assert_eq!((gap_of("a-3", "a-6", 18).lost_reported, gap_of("a-3", "a-6", 18).missing), (3, 1));
    assert_eq!((gap_of("a-4", "a-7", 18).lost_reported, gap_of("a-4", "a-7", 18).missing), (3, 1));
    // A message that a gap reports as lost must not arrive afterwards.
    let arrived = gap_of("a-3", "a-7", 17);
    assert_eq!((arrived.out_of_order, arrived.lost_reported), (1, 3));
}

#[test]
fn a_gap_excuses_nothing_that_was_passed_before() {
    let events = concat([messages([11, 12, 14]), vec![gap("lagged", "a-2", "a-6")], messages(17..=20)]);
    let score = score(&ten(), events);
    assert_eq!((score.missing, score.lost_reported), (1, 2), "13 is a hole, whatever was reported later");
}

#[test]
fn a_gap_where_nothing_was_lost_is_no_fault() {
    let score = score(&ten(), concat([messages(11..=13), vec![gap("epoch", "a-3", "a-3")], messages(14..=20)]));
    assert!(score.is_clean(), "{score:?}");
    assert_eq!(score.lost_reported, 0);
}

#[test]
fn an_epoch_gap_covers_the_rest_of_the_old_history() {
    let events = concat([messages(11..=13), vec![gap("epoch", "a-3", "b-0")], messages(16..=20)]);
    let reported = score(&restarted(), events);
    assert!(reported.is_clean(), "{reported:?}");
    assert_eq!((reported.lost_reported, reported.epochs_passed), (2, 1));
    // But nothing of the new one.
    let events = concat([messages(11..=13), vec![gap("epoch", "a-3", "b-0")], messages(17..=20)]);
    assert_eq!(score(&restarted(), events).missing, 1);
    // Unless the gap says so.
    let events = concat([messages(11..=13), vec![gap("epoch", "a-3", "b-2")], messages(18..=20)]);
    let later = score(&restarted(), events);
    assert_eq!((later.lost_reported, later.missing), (4, 0));
}

#[test]
fn a_restart_has_to_be_reported_once() {
    let unreported = score(&restarted(), messages(11..=20));
    assert_eq!((unreported.missing, unreported.epochs_unreported), (0, 1));
    assert!(!unreported.is_clean());
    let again = gap("epoch", "a-5", "b-0");
    let repeated = score(&restarted(), concat([messages(11..=15), vec![again.clone(), again], messages(16..=20)]));
    assert_eq!((repeated.missing, repeated.epochs_repeated), (0, 1));
    assert!(!repeated.is_clean());
}

#[test]
fn a_restart_between_two_messages_loses_the_old_end_if_it_is_not_reported() {
    let score = score(&restarted(), messages((11..=13).chain(16..=20)));
    assert_eq!((score.missing, score.epochs_unreported), (2, 1));
}

#[test]
fn other_topics_are_none_of_a_clients_concern() {
    let mut entries: Vec<Entry> = (1..=10).map(|order| entry(order, "a", order)).collect();
    entries.iter_mut().for_each(|entry| entry.topic = (entry.number % 2) as usize);
    let ledger = Ledger::new(entries, vec![]);
    let odd = Record { topic: Some(1), events: messages((11..=20).step_by(2)) };
    let all = Record { topic: None, events: messages(11..=20) };
    let clean = Score::of(&ledger, &[odd, all]);
    assert!(clean.is_clean(), "{clean:?}");
    assert_eq!(clean.expected, 15);
    let astray = Score::of(&ledger, &[Record { topic: Some(1), events: messages(11..=19) }]);
    assert_eq!(astray.astray, 4);
}

#[test]
fn the_servers_order_counts_and_not_the_publishers() {
    let ledger = Ledger::new(vec![entry(1, "a", 2), entry(2, "a", 1)], vec![]);
    assert!(score(&ledger, messages([12, 11])).is_clean());
    assert_eq!(score(&ledger, messages([11, 12])).out_of_order, 1);
}

#[test]
fn messages_without_an_answer_may_arrive_once() {
    let ledger = Ledger::new((1..=10).map(|order| entry(order, "a", order)).collect(), vec![99]);
    let once = score(&ledger, concat([messages(11..=15), messages([99]), messages(16..=20)]));
    assert!(once.is_clean(), "{once:?}");
    let twice = score(&ledger, concat([messages(11..=20), messages([99, 99])]));
    assert_eq!(twice.twice, 1);
}

#[test]
fn catching_up_is_measured_from_the_new_connection_to_what_was_missed() {
    let at = |number, at| Event::Message { number, at };
    let mut events = vec![Event::Joined(0), at(11, 1500), Event::Lost(1600), Event::Joined(4500)];
    // 12, 13 and 14 were published before 4500; 15 was not.
    events.extend([at(12, 5000), at(13, 5001), at(14, 5002)]);
    events.extend(messages(15..=20));
    let score = score(&ten(), events);
    assert!(score.is_clean(), "{score:?}");
    assert_eq!((score.reconnects, score.catch_up.count, score.catch_up.max), (1, 1, 502));
    assert_eq!((score.delay.max, score.delay_connected.max), (3000, 500));
}
