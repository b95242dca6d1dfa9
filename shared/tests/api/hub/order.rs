use futures_util::FutureExt;
use shared::cursor::Position;
use shared::hub::BatchLimit;

use super::{ALL, History, JSON, ROOMY, TEXT, read_to_end, read_whole, texts};

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

#[tokio::test]
async fn a_pattern_that_few_messages_match_is_read_from_a_long_history() {
    let history = History::new(ROOMY);
    let first = history.publish("a.b", "first");
    (0..20).for_each(|_| drop(history.publish_all("other", &["x"; 1000])));
    history.publish("a.c", "last");
    let one = BatchLimit { messages: 1, ..ALL };
    let many: Vec<String> =
        ["a.b".into(), "*.c".into()].into_iter().chain((0..30).map(|n| format!("n{n}.*"))).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    for topics in [&["a.*"][..], &["a.*", "never"], &["a.b", "*.c"], &many] {
        assert_eq!(read_to_end(&mut history.follow(topics, Position::Earliest)).await, ["first", "last"], "{topics:?}");
        assert_eq!(read_to_end(&mut history.follow(topics, Position::At(first))).await, ["last"], "{topics:?}");
        let mut subscriber = history.follow(topics, Position::Earliest);
        let batch = subscriber.read_encoded(&TEXT, one);
        assert_eq!((&batch.bytes[..], batch.more), (&b"first"[..], true), "{topics:?}");
        let mut turns = 0;
        loop {
            let batch = subscriber.read_encoded(&TEXT, one);
            if !batch.bytes.is_empty() {
                assert_eq!(batch.bytes, "last", "{topics:?}");
                break;
            }
            assert!(batch.more);
            turns += 1;
            assert!(subscriber.changed().now_or_never().is_none(), "the search goes on after other tasks: {topics:?}");
            subscriber.changed().await;
        }
        assert!(turns > 2, "{topics:?} are searched in one piece");
        assert_eq!(subscriber.cursor(), history.hub.head());
    }
}
