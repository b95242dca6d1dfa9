//! Idempotency keys, which all instances share.

use shared::backplane::{Backplane, IDEMPOTENCY_WINDOW, Publication, PublishError};
use shared::cursor::Position;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;

use super::instance::{Instance, Settings};
use super::{let_pass, number, read, until};

#[tokio::test]
async fn a_repeat_on_any_instance_appends_nothing_and_gets_the_first_answer() {
    let directory = TempDir::new().unwrap();
    let (one, two) = (Instance::open(directory.path()).await, Instance::open(directory.path()).await);
    let first = one.try_publish("a", &["1", "2"], Some("k")).await.unwrap();
    assert!(!first.repeated);
    one.publish("a", "between").await;
    for instance in [&one, &two] {
        let again = instance.try_publish("a", &["1", "2"], Some("k")).await.unwrap();
        assert!(again.repeated);
        assert_eq!(again.placement, first.placement);
        for (topic, texts) in [("a", &["1"][..]), ("a", &["1", "other"]), ("b", &["1", "2"])] {
            let refused = instance.try_publish(topic, texts, Some("k")).await;
            assert!(matches!(refused, Err(PublishError::KeyReused)), "{refused:?}");
        }
    }
    two.stop().await;
    one.stop().await;
    let restarted = Instance::open(directory.path()).await;
    let again = restarted.try_publish("a", &["1", "2"], Some("k")).await.unwrap();
    assert!(again.repeated && again.placement == first.placement);
    let mut subscriber = restarted.follow(&["a"], Position::Earliest);
    assert_eq!(read(&mut subscriber, 3).await, ["1", "2", "between"]);
    restarted.stop().await;
}

#[tokio::test]
async fn a_key_is_free_again_after_two_minutes() {
    let directory = TempDir::new().unwrap();
    let instance = Instance::open(directory.path()).await;
    let first = instance.try_publish("a", &["1"], Some("k")).await.unwrap();
    let_pass(directory.path(), IDEMPOTENCY_WINDOW - Duration::from_secs(60));
    assert!(instance.try_publish("a", &["1"], Some("k")).await.unwrap().repeated);
    let_pass(directory.path(), Duration::from_secs(60));
    let second = instance.try_publish("a", &["1"], Some("k")).await.unwrap();
    assert!(!second.repeated);
    assert_ne!(first.placement, second.placement);
    let_pass(directory.path(), IDEMPOTENCY_WINDOW);
    until(|| number(directory.path(), "SELECT count(*) FROM keys") == 0).await;
    assert_eq!(number(directory.path(), "SELECT keys FROM history"), 0);
    instance.stop().await;
}

#[tokio::test]
async fn keys_over_the_limit_are_refused_and_nothing_is_appended() {
    let directory = TempDir::new().unwrap();
    let instance = Instance::open_with(directory.path(), Settings { keys: 2, ..Settings::default() }).await;
    for key in ["one", "two"] {
        instance.try_publish("a", &[key], Some(key)).await.unwrap();
    }
    let head = instance.hub.head();
    let refused = instance.try_publish("a", &["3"], Some("three")).await;
    assert!(matches!(refused, Err(PublishError::TooManyKeys { limit: 2, .. })), "{refused:?}");
    assert_eq!(number(directory.path(), "SELECT last FROM history"), head.offset as i64);
    assert!(instance.try_publish("a", &["one"], Some("one")).await.unwrap().repeated, "a known key is still known");
    assert!(instance.try_publish("a", &["3"], None).await.is_ok(), "without a key there is room");
    let_pass(directory.path(), IDEMPOTENCY_WINDOW);
    assert!(instance.try_publish("a", &["3"], Some("three")).await.is_ok(), "old keys make room");
    instance.stop().await;
}

#[tokio::test]
async fn a_publisher_that_may_use_no_new_key_can_repeat() {
    let directory = TempDir::new().unwrap();
    let instance = Instance::open(directory.path()).await;
    instance.try_publish("a", &["1"], Some("k")).await.unwrap();
    let publish = async |key: &str, text: &str| {
        let drafts = vec![shared::message::Draft::text(text)];
        let mut publication = Publication::new("a".parse().unwrap(), drafts, Some(key.parse().unwrap()));
        publication.may_use_new_key = false;
        testkit::soon(instance.sqlite.publish(publication)).await
    };
    assert!(publish("k", "1").await.unwrap().repeated);
    assert!(matches!(publish("new", "2").await, Err(PublishError::ShareOfKeys)));
    assert_eq!(number(directory.path(), "SELECT count(*) FROM messages"), 1);
    instance.stop().await;
}

#[tokio::test]
async fn of_publications_at_the_same_time_under_one_key_one_is_appended() {
    let directory = TempDir::new().unwrap();
    let instances = [Instance::open(directory.path()).await, Instance::open(directory.path()).await];
    let publishing: Vec<_> = (0..20)
        .map(|count| {
            let sqlite = Arc::clone(&instances[count % 2].sqlite);
            let publication = Publication::new(
                "a".parse().unwrap(),
                vec![shared::message::Draft::text("m")],
                Some("k".parse().unwrap()),
            );
            tokio::spawn(async move { sqlite.publish(publication).await })
        })
        .collect();
    let mut receipts = Vec::new();
    for publishing in publishing {
        receipts.push(testkit::soon(publishing).await.unwrap().unwrap());
    }
    assert_eq!(receipts.iter().filter(|receipt| !receipt.repeated).count(), 1);
    assert!(receipts.iter().all(|receipt| receipt.placement == receipts[0].placement));
    assert_eq!(number(directory.path(), "SELECT count(*) FROM messages"), 1);
    for instance in instances {
        instance.stop().await;
    }
}

#[tokio::test]
async fn instances_that_tick_together_publish_each_tick_once() {
    let directory = TempDir::new().unwrap();
    let instances = [Instance::open(directory.path()).await, Instance::open(directory.path()).await];
    let mut subscriber = instances[0].follow(&["main"], Position::Now);
    let tickers: Vec<_> = instances
        .iter()
        .map(|instance| {
            let sqlite: Arc<dyn Backplane> = instance.sqlite.clone();
            tokio::spawn(shared::ticker::run(sqlite, Duration::from_millis(100), "tick".to_owned()))
        })
        .collect();
    read(&mut subscriber, 5).await;
    tickers.iter().for_each(tokio::task::JoinHandle::abort);
    assert_eq!(
        number(directory.path(), "SELECT count(*) FROM messages"),
        number(directory.path(), "SELECT count(*) FROM keys"),
        "each under a key of its own"
    );
    for instance in instances {
        instance.stop().await;
    }
}
