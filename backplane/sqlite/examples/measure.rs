//! Measures the backplane in this process: `cargo run --release -p backplane-sqlite --example measure -- DIR`, with a directory on
//! the disk to be measured, which is filled and can be removed afterwards.
//!
//! Prints confirmed publications per second with several in flight, each visible in the hub when it is confirmed, and the time
//! until a history of a million messages is ready.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use backplane_sqlite::{Sqlite, SqliteConfig};
use clap::Parser;
use futures_util::future::join_all;
use shared::backplane::{Backplane, Fatal, Publication};
use shared::hub::{HistoryLimits, Hub};
use shared::message::Draft;
use shared::topic::Topic;
use tokio::task::JoinHandle;

const IN_FLIGHT: [usize; 4] = [1, 32, 256, 1024];
const LIMITS: HistoryLimits =
    HistoryLimits { messages: usize::MAX, age: Duration::from_secs(86400), bytes: usize::MAX };
const TIME: Duration = Duration::from_secs(5);
const MANY: u64 = 1_000_000;

#[derive(Parser)]
struct Flags {
    #[command(flatten)]
    sqlite: SqliteConfig,
}

#[tokio::main]
async fn main() {
    let directory = std::env::args().nth(1).expect("name a directory");
    let text = "x".repeat(200);
    for in_flight in IN_FLIGHT {
        for (label, limits) in
            [("kept", LIMITS), ("of which 1,000 are kept", HistoryLimits { messages: 1000, ..LIMITS })]
        {
            let directory = format!("{directory}/{in_flight}-{}", limits.messages == 1000);
            let (sqlite, hub, running) = open(Path::new(&directory), limits).await;
            let before = hub.head().offset;
            let end = Instant::now() + TIME;
            let publish = async || {
                while Instant::now() < end {
                    publish(&sqlite, std::slice::from_ref(&text)).await;
                }
            };
            join_all((0..in_flight).map(|_| publish())).await;
            let rate = (hub.head().offset - before) as f64 / TIME.as_secs_f64();
            println!("{in_flight} in flight, {label}: {rate:.0} per second");
            close(running).await;
        }
    }

    let directory = format!("{directory}/many");
    let (sqlite, hub, running) = open(Path::new(&directory), LIMITS).await;
    let texts = vec![text; 1000];
    while hub.head().offset < MANY {
        publish(&sqlite, &texts).await;
    }
    close(running).await;
    for _ in 0..3 {
        let began = Instant::now();
        let (_sqlite, hub, running) = open(Path::new(&directory), LIMITS).await;
        println!("{} messages: ready after {:?}", hub.head().offset, began.elapsed());
        close(running).await;
    }
}

async fn open(directory: &Path, limits: HistoryLimits) -> (Arc<Sqlite>, Hub, JoinHandle<Fatal>) {
    let flags = Flags::parse_from(["measure", "--data", directory.to_str().expect("a path in UTF-8")]);
    let (sqlite, hub) = Sqlite::new(&flags.sqlite, limits, 1000, 65536, Duration::ZERO).expect("the flags are right");
    let sqlite = Arc::new(sqlite);
    let running = tokio::spawn(Arc::clone(&sqlite).run());
    while sqlite.ready().is_err() {
        assert!(!running.is_finished(), "{:?}", sqlite.ready());
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    (sqlite, hub, running)
}

async fn close(running: JoinHandle<Fatal>) {
    running.abort();
    let _ = running.await;
}

async fn publish(sqlite: &Sqlite, texts: &[String]) {
    let drafts = texts.iter().map(|text| Draft::text(text.as_str())).collect();
    let publication = Publication::new(Topic::default(), drafts, None);
    sqlite.publish(publication).await.expect("nothing is in the way");
}
