use shared::cursor::Position;
use shared::hub::BatchLimit;

use super::{ALL, History, JSON, ROOMY, TEXT, read_whole, texts};

#[test]
fn a_subscriber_gets_every_message_once_and_in_order() {
    let history = History::new(ROOMY);
    let mut subscriber = history.follow(&["main"], Position::Now);
    let mut ids = vec![history.publish("main", "1")];
    ids.extend(history.publish_all("main", &["2", "3", "4"]));
    assert!(ids.is_sorted_by_key(|id| id.offset));

    let batch = subscriber.read(&JSON, ALL);
    assert_eq!(texts(&batch), ["1", "2", "3", "4"]);
    let read: Vec<_> = batch.entries.iter().map(|entry| entry.message.id).collect();
    assert_eq!(read, ids, "the ids are those of the receipt");
    assert!(subscriber.read(&JSON, ALL).is_empty());

    history.publish("main", "5");
    assert_eq!(read_whole(&mut subscriber), ["5"]);
}

#[test]
fn every_subscriber_gets_the_same_bytes() {
    let history = History::new(ROOMY);
    let mut subscribers = [(); 3].map(|()| history.follow(&["main"], Position::Now));
    history.publish("main", "m");
    let [one, two, three] = subscribers.each_mut().map(|subscriber| subscriber.read(&JSON, ALL).entries.remove(0));
    assert_eq!(one.encoded(&JSON), one.message.to_json());
    assert!(
        [two, three].iter().all(|other| std::ptr::eq(&*one.encoded(&JSON), &*other.encoded(&JSON))),
        "encoded once"
    );
}

#[test]
fn subscribers_of_the_same_burst_get_the_same_bytes_and_none_gets_those_of_another() {
    let history = History::new(ROOMY);
    let ids = history.publish_all("a", &["1", "2", "3"]);
    history.publish_all("b", &["4", "5", "6"]);
    let since = |id: usize| Position::At(ids[id]);
    let wire = |topic, from, limit| {
        let batch = history.follow(&[topic], from).read_encoded(&JSON, limit);
        let json = serde_json::Deserializer::from_slice(&batch.bytes).into_iter::<serde_json::Value>();
        let texts: String = json.map(|message| message.unwrap()["text"].as_str().unwrap().to_owned()).collect();
        (texts, batch.more, batch.bytes)
    };
    let two = BatchLimit { messages: 2, ..ALL };
    for (topic, from, limit, texts, more) in [
        ("a", Position::Earliest, ALL, "123", false),
        ("b", Position::Earliest, ALL, "456", false),
        ("a", since(0), ALL, "23", false),
        ("a", since(0), BatchLimit { bytes: 1, ..ALL }, "2", true),
        ("a", Position::Earliest, two, "12", true),
        ("b", Position::Earliest, two, "45", true),
    ] {
        let (read, left, bytes) = wire(topic, from, limit);
        assert_eq!((read.as_str(), left), (texts, more));
        assert!(std::ptr::eq(&*bytes, &*wire(topic, from, limit).2), "joined once");
    }
    history.publish("a", "7");
    assert_eq!(wire("a", Position::Earliest, ALL).0, "1237");
}

#[test]
fn subscribers_of_the_same_pattern_share_a_burst_too() {
    let history = History::new(ROOMY);
    let follow = |filter: &'static str| [(); 2].map(|()| history.follow(&[filter], Position::Now));
    let mut subscribers = [follow("a.*"), follow(">"), follow("a.b")];
    // More than the newest messages of a pattern that are found without a search, then fewer.
    for rounds in [100, 1] {
        for _ in 0..rounds {
            for (topic, text) in [("a.b", "1"), ("d", "2"), ("a.c", "3")] {
                history.publish(topic, text);
            }
        }
        let read = subscribers.each_mut().map(|twins| twins.each_mut().map(|twin| twin.read_encoded(&TEXT, ALL).bytes));
        for ([one, two], texts) in read.iter().zip(["13", "123", "1"]) {
            assert_eq!(one, texts.repeat(rounds).as_bytes());
            assert!(std::ptr::eq(&**one, &**two), "joined once");
        }
    }
}

#[test]
fn a_pattern_that_few_messages_match_is_read_from_a_long_history() {
    let history = History::new(ROOMY);
    let first = history.publish("a.b", "first");
    (0..20).for_each(|_| drop(history.publish_all("other", &["x"; 1000])));
    history.publish("a.c", "last");
    let one = BatchLimit { messages: 1, ..ALL };
    for topics in [&["a.*"][..], &["a.*", "never"], &["a.b", "*.c"]] {
        assert_eq!(read_whole(&mut history.follow(topics, Position::Earliest)), ["first", "last"], "{topics:?}");
        assert_eq!(read_whole(&mut history.follow(topics, Position::At(first))), ["last"], "{topics:?}");
        let mut subscriber = history.follow(topics, Position::Earliest);
        let batch = subscriber.read_encoded(&TEXT, one);
        assert_eq!((&batch.bytes[..], batch.more), (&b"first"[..], true), "{topics:?}");
        assert_eq!(subscriber.read_encoded(&TEXT, one).bytes, "last", "{topics:?}");
        assert_eq!(subscriber.cursor(), history.hub.head());
    }
}

#[test]
fn several_topics_come_in_the_order_in_which_they_were_published() {
    let history = History::new(ROOMY);
    for (topic, text) in [("b", "1"), ("a", "2"), ("other", "x"), ("a", "3"), ("c", "4"), ("b", "5")] {
        history.publish(topic, text);
    }
    let mut subscriber = history.follow(&["a", "b", "c"], Position::Earliest);
    assert_eq!(read_whole(&mut subscriber), ["1", "2", "3", "4", "5"]);
}

#[test]
fn a_wildcard_covers_topics_from_before_and_after_the_subscription() {
    let history = History::new(ROOMY);
    history.publish("orders.old", "1");
    let mut one_token = history.follow(&["orders.*"], Position::Earliest);
    let mut the_rest = history.follow(&["orders.>"], Position::Earliest);
    let mut everything = history.follow(&[">"], Position::Earliest);
    for (topic, text) in [("orders.new", "2"), ("orders.new.eu", "3"), ("orders", "4"), ("orders.old", "5")] {
        history.publish(topic, text);
    }
    assert_eq!(read_whole(&mut one_token), ["1", "2", "5"]);
    assert_eq!(read_whole(&mut the_rest), ["1", "2", "3", "5"]);
    assert_eq!(read_whole(&mut everything), ["1", "2", "3", "4", "5"]);
}

#[test]
fn a_message_that_two_filters_match_arrives_once() {
    let history = History::new(ROOMY);
    let mut subscriber = history.follow(&["a.b", "a.*", ">", "a.b"], Position::Now);
    for text in ["1", "2", "3"] {
        history.publish("a.b", text);
    }
    let batch = subscriber.read(&JSON, BatchLimit { messages: 2, ..ALL });
    assert_eq!((texts(&batch), batch.more), (vec!["1", "2"], true));
    assert_eq!(read_whole(&mut subscriber), ["3"]);
}

#[test]
fn a_batch_holds_so_many_messages_and_says_whether_there_are_more() {
    let history = History::new(ROOMY);
    history.publish_all("a", &["1", "2"]);
    history.publish_all("b", &["3", "4", "5"]);
    for topics in [&["a", "b"][..], &["*"]] {
        let mut subscriber = history.follow(topics, Position::Earliest);
        let two = BatchLimit { messages: 2, ..ALL };
        for (expected, more) in [(&["1", "2"][..], true), (&["3", "4"], true), (&["5"], false), (&[], false)] {
            let batch = subscriber.read(&JSON, two);
            assert_eq!((texts(&batch), batch.more), (expected.to_vec(), more), "{topics:?}");
        }
    }
    let exactly = BatchLimit { messages: 5, ..ALL };
    assert!(!history.follow(&["*"], Position::Earliest).read(&JSON, exactly).more, "five of five leave none");
}

#[test]
fn a_batch_holds_so_many_bytes_and_always_a_message() {
    let history = History::new(ROOMY);
    history.publish_all("main", &["1", "2", "3"]);
    let wire = history.follow(&["main"], Position::Earliest).read(&JSON, ALL).entries[0].encoded(&JSON).len();
    for (bytes, expected) in [(2 * wire, 2), (2 * wire - 1, 1), (wire, 1), (1, 1), (0, 1)] {
        let batch = history.follow(&["main"], Position::Earliest).read(&JSON, BatchLimit { bytes, ..ALL });
        assert_eq!((batch.entries.len(), batch.more), (expected, true), "{bytes} bytes");
    }
}
