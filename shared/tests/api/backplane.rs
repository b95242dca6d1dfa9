//! Publications that are repeated.

use std::time::Duration;

use shared::backplane::{Backplane, IDEMPOTENCY_WINDOW, Memory, Publication, PublishError, Receipt};
use shared::cursor::Position;
use shared::hub::{BatchLimit, Format, HistoryLimits};
use shared::message::Draft;

static JSON: Format = Format::new(|message| message.to_json().into());

const LIMITS: HistoryLimits = HistoryLimits { messages: 100, age: Duration::from_secs(60), bytes: 1 << 20 };

async fn publish(memory: &Memory, key: Option<&str>, texts: &[&str]) -> Result<Receipt, PublishError> {
    let drafts = texts.iter().map(|text| Draft::text(*text)).collect();
    let key = key.map(|key| key.parse().unwrap());
    memory.publish(Publication::new("a".parse().unwrap(), drafts, key)).await
}

#[tokio::test(start_paused = true)]
async fn a_repeat_under_the_same_key_appends_nothing_and_gets_the_first_answer() {
    let (memory, hub) = Memory::new(LIMITS, 10);
    let first = publish(&memory, Some("k"), &["1", "2"]).await.unwrap();
    assert!(!first.repeated);
    publish(&memory, None, &["between"]).await.unwrap();
    tokio::time::advance(IDEMPOTENCY_WINDOW - Duration::from_millis(1)).await;
    let again = publish(&memory, Some("k"), &["1", "2"]).await.unwrap();
    assert!(again.repeated);
    assert_eq!(first.placement, again.placement);

    let mut subscriber = hub.subscribe(&["a".parse().unwrap()], Position::Earliest);
    let batch = subscriber.read(&JSON, BatchLimit { messages: 100, bytes: usize::MAX });
    let texts: Vec<_> = batch.entries.iter().map(|entry| &*entry.message.text).collect();
    assert_eq!(texts, ["1", "2", "between"]);
}

#[tokio::test(start_paused = true)]
async fn a_key_is_free_again_after_two_minutes() {
    let (memory, _) = Memory::new(LIMITS, 10);
    let first = publish(&memory, Some("k"), &["1"]).await.unwrap();
    tokio::time::advance(IDEMPOTENCY_WINDOW).await;
    let second = publish(&memory, Some("k"), &["1"]).await.unwrap();
    assert!(!second.repeated);
    assert_ne!(first.placement, second.placement);
}

#[tokio::test(start_paused = true)]
async fn keys_over_the_limit_are_refused_and_nothing_is_appended() {
    let (memory, hub) = Memory::new(LIMITS, 2);
    for key in ["one", "two"] {
        publish(&memory, Some(key), &[key]).await.unwrap();
    }
    let head = hub.head();
    assert!(matches!(publish(&memory, Some("three"), &["3"]).await, Err(PublishError::TooManyKeys { limit: 2, .. })));
    assert_eq!(hub.head(), head);

    assert!(publish(&memory, Some("one"), &["one"]).await.unwrap().repeated, "a known key is still known");
    assert!(publish(&memory, None, &["3"]).await.is_ok(), "without a key there is room");
    tokio::time::advance(IDEMPOTENCY_WINDOW).await;
    assert!(publish(&memory, Some("three"), &["3"]).await.is_ok(), "old keys make room");
}

#[tokio::test]
async fn of_publications_at_the_same_time_under_one_key_one_is_appended() {
    let (memory, hub) = Memory::new(LIMITS, 10);
    let memory = std::sync::Arc::new(memory);
    let threads: Vec<_> = (0..8)
        .map(|_| {
            let memory = std::sync::Arc::clone(&memory);
            tokio::task::spawn_blocking(move || {
                futures_util::FutureExt::now_or_never(publish(&memory, Some("k"), &["m"])).unwrap().unwrap()
            })
        })
        .collect();
    let mut receipts = Vec::new();
    for thread in threads {
        receipts.push(testkit::soon(thread).await.unwrap());
    }
    assert_eq!(receipts.iter().filter(|receipt| !receipt.repeated).count(), 1);
    assert!(receipts.iter().all(|receipt| receipt.placement == receipts[0].placement));
    assert_eq!(hub.head().offset, 1);
}

#[tokio::test(start_paused = true)]
async fn a_publisher_that_may_use_no_new_key_can_repeat() {
    let (memory, hub) = Memory::new(LIMITS, 10);
    publish(&memory, Some("k"), &["1"]).await.unwrap();
    let head = hub.head();
    for (key, text, may) in [(Some("k"), "1", true), (Some("new"), "2", false), (None, "3", true)] {
        let mut publication =
            Publication::new("a".parse().unwrap(), vec![Draft::text(text)], key.map(|key| key.parse().unwrap()));
        publication.may_use_new_key = false;
        let published = memory.publish(publication).await;
        match published {
            Ok(receipt) => assert!(may && receipt.repeated == key.is_some()),
            Err(error) => assert!(!may && matches!(error, PublishError::ShareOfKeys), "{error}"),
        }
    }
    assert_eq!(hub.head().offset, head.offset + 1);
}
