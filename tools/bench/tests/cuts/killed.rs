//! `bench cuts --kill-every`, shortened, over services that are processes of this program.

use std::env;
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::Context;
use bench::Folder;
use bench::cuts::{Plan, Replica, Shared, Upheaval, measure_replicas};
use bench::target::{Method, Target};
use clap::Parser;
use tokio::net::TcpListener;

const METHOD: &str = "BENCH_TEST_METHOD";
const DATA: &str = "BENCH_TEST_DATA";

/// The program of the services: this one, with this test alone. It serves until it is killed.
#[tokio::test(flavor = "multi_thread")]
async fn service() {
    let Ok(method) = env::var(METHOD) else { return };
    let data = env::var(DATA).expect("a directory");
    let flags = ["service", "--tick", "0", "--heartbeat", "400ms", "--history", "100000", "--data", &data];
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
    println!("listening {}", listener.local_addr().expect("an address"));
    let stop = std::future::pending();
    let ended = match method.as_str() {
        "ws" => ws_echo::run(listener, ws_echo::Config::parse_from(flags), stop).await,
        "poll" => longpoll_server::run(listener, longpoll_server::Config::parse_from(flags), stop).await,
        _ => sse_server::run(listener, sse_server::Config::parse_from(flags), stop).await,
    };
    ended.expect("it serves");
}

/// A service that is a process.
struct There {
    method: Method,
    data: String,
    child: Child,
    address: SocketAddr,
}

impl There {
    fn start(method: Method, data: &str) -> anyhow::Result<Self> {
        let mut child = Command::new(env::current_exe()?)
            .args(["--exact", "killed::service", "--nocapture"])
            .env(METHOD, method.name())
            .env(DATA, data)
            .stdout(Stdio::piped())
            .spawn()?;
        let lines = BufReader::new(child.stdout.take().context("it is piped")?).lines();
        let address = lines.map_while(Result::ok).find_map(|line| line.split_once("listening ")?.1.parse().ok());
        let address = address.context("it ended before it listened")?;
        Ok(Self { method, data: data.to_owned(), child, address })
    }
}

impl Drop for There {
    fn drop(&mut self) {
        // An error means that it has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Replica for There {
    fn method(&self) -> Method {
        self.method
    }

    fn address(&self) -> SocketAddr {
        self.address
    }

    fn restart(&mut self) -> Pin<Box<dyn Future<Output = anyhow::Result<()>> + Send + '_>> {
        Box::pin(async { anyhow::bail!("it is killed instead") })
    }

    fn kill(&mut self) -> anyhow::Result<()> {
        anyhow::ensure!(self.child.try_wait()?.is_none(), "it ended by itself");
        Ok(self.child.kill()?)
    }

    fn start(&mut self) -> Pin<Box<dyn Future<Output = anyhow::Result<()>> + Send + '_>> {
        Box::pin(async {
            let (method, data) = (self.method, self.data.clone());
            *self = tokio::task::spawn_blocking(move || Self::start(method, &data)).await??;
            Ok(())
        })
    }
}

fn plan(seconds: u64) -> Plan {
    Plan { clients: 8, publishers: 4, ..super::plan(seconds) }
}

/// Runs over two processes of each service. `data` has the directory of each process.
async fn outcome(plan: Plan, kill_every: Duration, data: impl Fn(usize) -> String) -> Shared {
    let methods = Method::ALL.into_iter().cycle().take(6).enumerate();
    let mut replicas: Vec<Box<dyn Replica>> = methods
        .map(|(index, method)| Box::new(There::start(method, &data(index)).expect("it starts")) as Box<dyn Replica>)
        .collect();
    let upheaval = Upheaval {
        nats_restarts: 0,
        replica_restarts: 0,
        kill_every: Some(kill_every),
        switch_methods: true,
        long_history: true,
        in_a_file: true,
    };
    let target = Target::push().expect("a description");
    measure_replicas(&plan, upheaval, &target, &mut replicas, None).await.expect("the run can be made")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn processes_that_share_a_file_lose_nothing_and_report_no_gap_though_they_are_killed() {
    let folder = Folder::new("test").expect("a folder");
    let data = folder.path().display().to_string();
    let outcome = outcome(plan(7), Duration::from_secs(2), |_| data.clone()).await;
    assert!(outcome.is_clean(), "{outcome:#?}");
    assert!(outcome.killed > 12, "{outcome:#?}");
    assert!(outcome.switches > 20, "{outcome:#?}");
    assert!(outcome.trouble.refused + outcome.trouble.unanswered > 0, "{outcome:#?}");
    let published = outcome.by_first_method[0].score.published;
    let stored = outcome.stored.expect("it was read");
    assert_eq!(stored.messages, 6 * published, "{outcome:#?}");
    for outcome in outcome.by_first_method {
        assert!(outcome.score.reconnects > 10, "{outcome:#?}");
        assert_eq!(outcome.score.received, outcome.score.expected, "{outcome:#?}");
        assert_eq!(outcome.score.gaps.len(), 0, "{outcome:#?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn processes_that_share_no_file_are_found_out() {
    let folder = Folder::new("test").expect("a folder");
    let data = |process: usize| folder.path().join(process.to_string()).display().to_string();
    let plan = Plan { deadline: Duration::from_secs(1), ..plan(2) };
    let outcome = outcome(plan, Duration::from_secs(1), data).await;
    assert!(!outcome.is_clean(), "{outcome:#?}");
    assert!(outcome.stored.is_some_and(|stored| stored.missing > 0), "{outcome:#?}");
    assert!(outcome.by_first_method.iter().any(|outcome| !outcome.score.gaps.is_empty()), "{outcome:#?}");
}
