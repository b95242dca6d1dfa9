//! Messages that memory does not hold, read from the file.

use std::collections::BTreeMap;
use std::path::Path;

use shared::cursor::{Cursor, Epoch, Position};
use shared::hub::{BatchLimit, HistoryLimits, Subscriber};
use shared::topic::TopicFilter;
use tempfile::TempDir;
use testkit::soon;

use super::instance::{Instance, Settings};
use super::{JSON, ROOMY, file, filters, number, read, until};

const TOPICS: [&str; 6] = ["a.x", "a.y", "a.y.z", "b.x", "b", "c"];

const FILTERS: [&[&str]; 12] = [
    &["a.x"],
    &["b"],
    &["never"],
    &[">"],
    &["a.*"],
    &["a.>"],
    &["*.x"],
    &["*"],
    &["a.x", "b"],
    &["a.*", "c"],
    &["a.>", "*.x", "never"],
    &["nothing.*"],
];

/// Everything that was ever published, by its offset, and whether the file still has it.
struct Model {
    epoch: Epoch,
    published: BTreeMap<u64, (&'static str, bool)>,
}

impl Model {
    fn matching(&self, topics: &[&str], after: u64) -> impl Iterator<Item = (u64, bool)> {
        let filters: Vec<TopicFilter> = filters(topics);
        let after = self.published.range(after + 1..);
        after.filter_map(move |(offset, (topic, held))| {
            let topic = topic.parse().unwrap();
            filters.iter().any(|filter| filter.matches(&topic)).then_some((*offset, *held))
        })
    }

    /// The offset up to which something is gone, if something is, and the offsets of what can be read after it.
    fn after(&self, topics: &[&str], position: u64) -> (Option<u64>, Vec<u64>) {
        let gone = self.matching(topics, position).filter(|(_, held)| !held).map(|(offset, _)| offset).max();
        (gone, self.held(topics, gone.unwrap_or(position)))
    }

    fn held(&self, topics: &[&str], position: u64) -> Vec<u64> {
        self.matching(topics, position).filter(|(_, held)| *held).map(|(offset, _)| offset).collect()
    }

    /// Notes what the file still has.
    fn look(&mut self, directory: &Path) {
        let file = file(directory);
        let mut statement = file.prepare("SELECT offset FROM messages ORDER BY offset").unwrap();
        let held: Vec<u64> =
            statement.query_map([], |row| row.get::<_, i64>(0)).unwrap().map(|offset| offset.unwrap() as u64).collect();
        for (offset, (_, is_held)) in &mut self.published {
            *is_held = held.binary_search(offset).is_ok();
        }
    }
}

/// Reads up to an offset: the end of the gap that comes first, if one does, and the offsets of the messages.
async fn read_to(subscriber: &mut Subscriber, last: u64, limit: BatchLimit) -> (Option<u64>, Vec<u64>) {
    let (mut gap, mut offsets) = (None, Vec::new());
    while subscriber.cursor().offset < last {
        let batch = subscriber.read(&JSON, limit);
        if let Some(next) = batch.gap {
            assert!(gap.is_none() && offsets.is_empty(), "one gap, and before all messages");
            gap = Some(next.cursor.offset);
        }
        offsets.extend(batch.entries.iter().map(|entry| entry.message.id.offset));
        if batch.is_empty() && subscriber.cursor().offset < last {
            soon(subscriber.changed()).await;
        }
    }
    (gap, offsets)
}

async fn check(instance: &Instance, model: &Model) {
    let last = *model.published.keys().last().unwrap();
    for topics in FILTERS {
        let limit = BatchLimit { messages: [1, 7, 1000][fastrand::usize(..3)], bytes: usize::MAX };
        for _ in 0..4 {
            let since = fastrand::u64(..=last);
            let mut subscriber = instance.follow_at(topics, Cursor { epoch: model.epoch, offset: since }).await;
            let read = read_to(&mut subscriber, last, limit).await;
            assert_eq!(read, model.after(topics, since), "{topics:?} since {since} of {last}");
        }
        let mut subscriber = instance.follow(topics, Position::Earliest);
        let read = read_to(&mut subscriber, last, limit).await;
        assert_eq!(read, (None, model.held(topics, 0)), "{topics:?} from the earliest");
    }
}

async fn agrees_with_the_model(settings: Settings) {
    let directory = TempDir::new().unwrap();
    let mut instance = Instance::open_with(directory.path(), settings).await;
    let mut model = Model { epoch: instance.hub.head().epoch, published: BTreeMap::new() };
    for _ in 0..4 {
        for _ in 0..60 {
            let topic = TOPICS[fastrand::usize(..TOPICS.len()).min(fastrand::usize(..TOPICS.len()))];
            let text = "x".repeat(fastrand::usize(..200));
            for cursor in instance.publish_all(topic, &vec![&*text; fastrand::usize(1..4)]).await {
                model.published.insert(cursor.offset, (topic, true));
            }
        }
        // Nobody else can look into a directory that an instance has for itself; the limits are roomy there.
        if settings.limits != ROOMY {
            let HistoryLimits { messages, bytes, .. } = settings.limits;
            until(|| number(directory.path(), "SELECT max(messages) FROM topics") <= messages as i64).await;
            until(|| number(directory.path(), "SELECT bytes FROM history") <= bytes as i64).await;
        }
        instance.stop().await;
        model.look(directory.path());
        instance = Instance::open_with(directory.path(), settings).await;
        check(&instance, &model).await;
    }
    instance.stop().await;
}

#[tokio::test]
async fn pages_agree_with_a_model() {
    agrees_with_the_model(Settings::little_memory().limits(HistoryLimits { messages: 50, ..ROOMY })).await;
}

#[tokio::test]
async fn pages_agree_with_a_model_where_everything_is_in_memory() {
    agrees_with_the_model(Settings::default().limits(HistoryLimits { messages: 50, ..ROOMY })).await;
}

#[tokio::test]
async fn pages_agree_with_a_model_where_bytes_are_short() {
    let limits = HistoryLimits { messages: 80, bytes: 20_000, ..ROOMY };
    agrees_with_the_model(Settings::little_memory().limits(limits)).await;
}

#[tokio::test]
async fn pages_agree_with_a_model_in_a_directory_for_itself() {
    let flags = &["--data-exclusive", "--memory-bytes", "8 KiB"];
    agrees_with_the_model(Settings { flags, ..Settings::default() }).await;
}

#[tokio::test]
async fn a_file_that_is_larger_than_memory_is_served_from_the_oldest_on() {
    let directory = TempDir::new().unwrap();
    let instance = Instance::open(directory.path()).await;
    let texts: Vec<String> = (0..3000).map(|count| format!("{count} {}", "x".repeat(50))).collect();
    for texts in texts.chunks(500) {
        instance.publish_all("a", &texts.iter().map(String::as_str).collect::<Vec<_>>()).await;
    }
    instance.stop().await;
    let instance = Instance::open_with(directory.path(), Settings::little_memory()).await;
    assert_eq!(instance.hub.head().offset, 3000);
    let mut in_memory = instance.hub.subscribe_in_memory(&filters(&["a"]), Position::Earliest);
    let held = in_memory.read(&JSON, super::ALL).entries.len();
    assert!((1..100).contains(&held), "{held} in memory");
    for topics in [&["a"][..], &["*"], &[">"], &["b", "a"]] {
        let mut subscriber = instance.follow(topics, Position::Earliest);
        let mut read = read(&mut subscriber, 2990).await;
        // Memory takes over at the end, with what comes meanwhile.
        instance.publish("c", "other").await;
        while !read.iter().any(|text| *text == texts[2999]) {
            read.extend(super::next(&mut subscriber).await);
        }
        read.retain(|text| text != "other");
        assert!(read == texts, "{topics:?}: {} messages", read.len());
    }
    instance.stop().await;
}

/// Topics whose messages are so far from each other that no page reaches from the first to the last.
#[tokio::test]
async fn rare_messages_among_many_are_all_found() {
    let directory = TempDir::new().unwrap();
    let instance = Instance::open(directory.path()).await;
    let mut model = Model { epoch: instance.hub.head().epoch, published: BTreeMap::new() };
    for count in 0..150 {
        for cursor in instance.publish_all("a", &["x"; 100][..fastrand::usize(60..100)]).await {
            model.published.insert(cursor.offset, ("a", true));
        }
        let rare = ["b", "c"][count % 2];
        model.published.insert(instance.publish(rare, "rare").await.offset, (rare, true));
    }
    let last = instance.hub.head().offset;
    instance.stop().await;
    let instance = Instance::open_with(directory.path(), Settings::little_memory()).await;
    for topics in [&["b"][..], &["b", "c"], &["*"]] {
        let mut subscriber = instance.follow(topics, Position::Earliest);
        let read = read_to(&mut subscriber, last, super::ALL).await;
        assert_eq!(read, (None, model.held(topics, 0)), "{topics:?}");
    }
    instance.stop().await;
}

#[tokio::test]
async fn the_earliest_is_read_without_a_gap_while_messages_are_evicted() {
    let directory = TempDir::new().unwrap();
    let settings = Settings::little_memory().limits(HistoryLimits { messages: 20, ..ROOMY });
    let instance = Instance::open_with(directory.path(), settings).await;
    for round in 0..100 {
        instance.publish_all("a", &["1", "2", "3", "4", "5"]).await;
        let mut subscriber = instance.follow(&["a", "b"], Position::Earliest);
        let batch = soon(async {
            loop {
                subscriber.changed().await;
                let batch = subscriber.read(&JSON, super::ALL);
                if !batch.is_empty() {
                    break batch;
                }
            }
        });
        assert_eq!(batch.await.gap, None, "round {round}");
    }
    instance.stop().await;
}
