use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use shared::cursor::Position;
use shared::hub::{BatchLimit, Entry, Format, HistoryLimits};
use shared::moment::Moment;

use super::{ALL, Fed, JSON, ROOMY, TEXT, filters};

/// Messages after the head's 1,024th predecessor are recent.
const RECENT: usize = 1024;

fn all(fed: &Fed) -> Vec<Arc<Entry>> {
    fed.hub.subscribe(&filters(&[">"]), Position::Earliest).read(&TEXT, ALL).entries.into_vec()
}

#[test]
fn an_encoding_is_made_once_for_many_readers() {
    static MADE: AtomicUsize = AtomicUsize::new(0);
    static COUNTED: Format = Format::new(|message| {
        MADE.fetch_add(1, Ordering::Relaxed);
        message.to_json().into()
    });
    let mut fed = Fed::new(ROOMY);
    let readers: Vec<_> = [&["a"][..], &["*"], &["a", "b"], &["a"]].into_iter().cycle().take(40).collect();
    let readers: Vec<_> =
        readers.into_iter().map(|topics| fed.hub.subscribe(&filters(topics), Position::Now)).collect();
    (0..50).for_each(|_| fed.append("a", "m", 0).wake());
    assert_eq!(MADE.load(Ordering::Relaxed), 0, "not before somebody needs it");
    std::thread::scope(|scope| {
        for (index, mut reader) in readers.into_iter().enumerate() {
            scope.spawn(move || match index % 2 {
                0 => assert_eq!(reader.read(&COUNTED, ALL).entries.len(), 50),
                _ => assert!(reader.read_encoded(&COUNTED, ALL).bytes.ends_with(b"}")),
            });
        }
    });
    assert_eq!(MADE.load(Ordering::Relaxed), 50);
}

#[test]
fn an_encoding_is_counted_once_and_given_back_at_eviction() {
    let mut fed = Fed::new(HistoryLimits { age: Duration::from_millis(100), ..ROOMY });
    let text = "x".repeat(1000);
    fed.append("a", &text, 0).wake();
    let before = fed.appender.bytes();
    let entries = all(&fed);
    let text_alone = fed.appender.bytes() - before;
    assert!((1000..1200).contains(&text_alone), "{text_alone}");
    all(&fed);
    assert_eq!(fed.appender.bytes() - before, text_alone, "counted once");
    entries[0].encoded(&JSON);
    let both = fed.appender.bytes() - before;
    assert!((1000..1300).contains(&(both - text_alone)), "{both}");

    fed.appender.evict_aged(Moment::from_millis(1000));
    assert_eq!(fed.appender.bytes(), 0);
    static LATE: Format = Format::new(|message| message.to_json().into());
    assert_eq!(entries[0].encoded(&LATE), entries[0].message.to_json());
    assert_eq!(fed.appender.bytes(), 0, "made after the eviction");
}

#[test]
fn two_formats_are_side_by_side() {
    let mut fed = Fed::new(ROOMY);
    let [mut one, mut two] = [(); 2].map(|()| fed.hub.subscribe(&filters(&["a"]), Position::Now));
    for text in ["1", "2", "3"] {
        fed.append("a", text, 0).wake();
    }
    let two_bytes = BatchLimit { bytes: 2, ..ALL };
    let batch = one.read_encoded(&TEXT, two_bytes);
    assert_eq!((&batch.bytes[..], batch.more), (&b"12"[..], true), "a limit counts bytes in the format that is read");
    let batch = two.read_encoded(&JSON, two_bytes);
    assert_eq!((&batch.bytes[..9], batch.more), (&br#"{"id":"7-"#[..], true));
    assert_eq!(one.read_encoded(&TEXT, ALL).bytes, "3");
    let rest = two.read_encoded(&JSON, ALL).bytes;
    assert_eq!(serde_json::Deserializer::from_slice(&rest).into_iter::<serde_json::Value>().count(), 2);
    for entry in all(&fed) {
        assert!(std::ptr::eq(&*entry.encoded(&TEXT), &*entry.encoded(&TEXT)));
        assert!(std::ptr::eq(&*entry.encoded(&JSON), &*entry.encoded(&JSON)));
    }
}

#[test]
fn a_replay_of_a_full_history_evicts_nothing() {
    let limit = 1 << 20;
    let mut fed = Fed::new(HistoryLimits { bytes: limit, ..ROOMY });
    let mut live = fed.hub.subscribe(&filters(&["a"]), Position::Now);
    // Nobody reads the first; of the last, each is read at once.
    for count in 0..10 * RECENT {
        fed.append("a", &count.to_string(), 0).wake();
        if count >= 9 * RECENT {
            live.read_encoded(&TEXT, BatchLimit { messages: 10 * RECENT, ..ALL });
        }
    }
    fed.appender.evict_aged(Moment::from_millis(0));
    let held = all(&fed);
    assert!(held.len() > 2 * RECENT && fed.appender.bytes() > limit - 1000, "full: {}", held.len());
    (0..3).for_each(|_| assert_eq!(all(&fed).len(), held.len()));
    fed.appender.evict_aged(Moment::from_millis(0));
    assert_eq!(all(&fed).len(), held.len());
    assert!(fed.appender.bytes() <= limit, "{}", fed.appender.bytes());
    // Of what is not recent, what did not fit was for the reader alone.
    let old = held.iter().rev().skip(RECENT);
    assert!(old.clone().any(|entry| !std::ptr::eq(&*entry.encoded(&TEXT), &*entry.encoded(&TEXT))));
    assert!(old.into_iter().all(|entry| entry.encoded(&TEXT) == *entry.message.text));
}

#[test]
fn encodings_of_old_messages_are_kept_where_there_is_room() {
    let mut fed = Fed::new(ROOMY);
    (0..2 * RECENT).for_each(|_| fed.append("a", "m", 0).wake());
    let held = all(&fed);
    assert!(held.iter().all(|entry| std::ptr::eq(&*entry.encoded(&TEXT), &*entry.encoded(&TEXT))));
}
