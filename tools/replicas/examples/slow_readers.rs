//! Measures the memory that slow readers of older messages cost the program `sse-server`:
//!
//! ```sh
//! cargo build --release -p sse-server
//! cargo run --release -p replicas --example slow_readers -- target/release/sse-server
//! ```
//!
//! The clients begin at different positions of a stream of which the service holds little in memory. Each reads a message
//! and stops for a while; then each reads slowly, and all check that messages come in order and without a gap. The resident
//! memory of the process above what it was before the clients came is printed, and is a failure where it is more than
//! `--limit`.

use std::net::SocketAddr;
use std::time::Duration;

use clap::Parser;
use futures_util::future::join_all;
use replicas::{NatsServer, NumberedMessages, SlowReader, resident_memory};
use serde_json::Value;
use testkit::{Process, soon};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};

#[derive(Parser)]
struct Args {
    /// The program
    server: String,
    #[arg(long, default_value = "100")]
    clients: usize,
    /// The number of stored messages
    #[arg(long, default_value = "20000")]
    messages: usize,
    /// The length of each message
    #[arg(long, default_value = "4096")]
    bytes: usize,
    /// The time for which the clients stop, and then that for which they read slowly, in seconds
    #[arg(long, default_value = "10")]
    seconds: u64,
    /// The messages that each client reads per second
    #[arg(long, default_value = "20")]
    rate: u32,
    /// The most memory that the clients may cost, in MiB
    #[arg(long, default_value = "32")]
    limit: usize,
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let args = Args::parse();
    let nats = NatsServer::start().await;
    let messages = NumberedMessages { count: args.messages, bytes: args.bytes };

    // The stream has the limits of the service that creates it.
    let roomy = ["--history", "1000000", "--history-bytes", "1GiB"];
    let (creator, address) = start(&args.server, &nats.url(), &roomy).await;
    let before = cursor(address).await;
    drop(creator);
    messages.store(&nats.jetstream().await).await;

    let small = ["--history-bytes", "1MiB", "--write-timeout", "10m"];
    let (process, address) = start(&args.server, &nats.url(), &small).await;
    let memory = Memory::new(&process);
    let mut readers = SlowReader::connect_all(address, args.clients, messages, &before).await;
    join_all(readers.iter_mut().map(SlowReader::read)).await;
    sleep(Duration::from_secs(args.seconds)).await;
    memory.report("all clients have stopped");

    let mut ticks = interval(Duration::from_secs(1) / args.rate);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (began, mut most, mut read) = (Instant::now(), 0, 0);
    while began.elapsed() < Duration::from_secs(args.seconds) && readers.iter().all(SlowReader::has_more) {
        ticks.tick().await;
        join_all(readers.iter_mut().map(SlowReader::read)).await;
        most = most.max(memory.above());
        read += readers.len();
    }
    memory.report("all clients are reading slowly");
    let seconds = began.elapsed().as_secs_f64();
    println!("at most {:.1} MiB, {:.0} messages/s over {seconds:.0} s", mebibytes(most), read as f64 / seconds);
    assert!(most <= args.limit << 20, "that is more than {} MiB", args.limit);
}

/// Starts the program, and waits until it is ready.
async fn start(program: &str, nats: &str, flags: &[&str]) -> (Process, SocketAddr) {
    let fixed = ["--listen", "127.0.0.1:0", "--log-format", "json", "--tick", "0", "--nats", nats];
    let mut process = Process::start(program, &[&fixed, flags].concat());
    let address = process.logged("listening", "address").await.parse().expect("it is an address");
    process.line_with("following the stream").await;
    (process, address)
}

/// Returns the cursor after everything that is stored.
async fn cursor(address: SocketAddr) -> String {
    let answer = soon(testkit::client().get(format!("http://{address}/messages?since=now")).send())
        .await
        .expect("the service answers");
    let page: Value = soon(answer.json()).await.expect("it is JSON");
    page["cursor"].as_str().expect("a page has a cursor").to_owned()
}

/// The resident memory of a process, compared to what it was.
struct Memory {
    process: u32,
    before: usize,
}

impl Memory {
    fn new(process: &Process) -> Self {
        let process = process.id().try_into().expect("process ids are positive");
        Self { process, before: resident_memory(process).expect("the system has /proc") }
    }

    fn above(&self) -> usize {
        resident_memory(self.process).expect("the process runs").saturating_sub(self.before)
    }

    fn report(&self, situation: &str) {
        println!("{situation}: {:.1} MiB above {:.1} MiB", mebibytes(self.above()), mebibytes(self.before));
    }
}

fn mebibytes(bytes: usize) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}
