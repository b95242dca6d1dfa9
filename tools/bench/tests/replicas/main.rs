//! `bench cuts --replicas`, shortened, over services that run in this process and a real NATS server; and over services
//! that share nothing.

use std::net::SocketAddr;
use std::pin::Pin;
use std::time::Duration;

use bench::Nats;
use bench::cuts::{Plan, Replica, Shared, Upheaval, measure_replicas};
use bench::target::{Method, Target};
use clap::Parser;
use testkit::{Server, soon};

/// Few clients and many injuries.
fn plan(seconds: u64) -> Plan {
    Plan {
        clients: 8,
        length: Duration::from_secs(seconds),
        seed: 1,
        rate: 80.0,
        topics: 2,
        publishers: 4,
        bytes: 80,
        calm: Some(Duration::from_millis(700)),
        heartbeat: Duration::from_millis(400),
        deadline: testkit::PATIENCE,
        injure_publishers: true,
        restart_every: None,
        stalled: 0,
        progress: false,
        issuer: None,
    }
}

/// A service in this process.
struct Here {
    method: Method,
    flags: Vec<String>,
    /// `None` only during a restart.
    server: Option<Server>,
}

impl Here {
    async fn start(method: Method, nats: Option<&Nats>) -> Box<dyn Replica> {
        let flags = ["service", "--tick", "0", "--heartbeat", "400ms", "--history", "100000", "--drain", "300ms"];
        let mut flags = flags.map(str::to_owned).to_vec();
        if let Some(nats) = nats {
            flags.extend(["--nats".to_owned(), nats.url()]);
        }
        let server = Some(serve(method, &flags).await);
        Box::new(Self { method, flags, server })
    }
}

impl Replica for Here {
    fn method(&self) -> Method {
        self.method
    }

    fn address(&self) -> SocketAddr {
        self.server.as_ref().expect("it runs").address()
    }

    fn restart(&mut self) -> Pin<Box<dyn Future<Output = anyhow::Result<()>> + Send + '_>> {
        Box::pin(async {
            self.server.take().expect("it runs").stopped().await;
            self.server = Some(serve(self.method, &self.flags).await);
            Ok(())
        })
    }
}

/// Starts a service and waits until it is ready.
async fn serve(method: Method, flags: &[String]) -> Server {
    let server = match method {
        Method::Ws => {
            let config = ws_echo::Config::parse_from(flags);
            Server::start(|listener, stop| ws_echo::run(listener, config, stop)).await
        }
        Method::Poll => {
            let config = longpoll_server::Config::parse_from(flags);
            Server::start(|listener, stop| longpoll_server::run(listener, config, stop)).await
        }
        Method::Sse => {
            let config = sse_server::Config::parse_from(flags);
            Server::start(|listener, stop| sse_server::run(listener, config, stop)).await
        }
    };
    soon(async { while !testkit::get(server.address(), "/readyz").await.starts_with("HTTP/1.1 200") {} }).await;
    server
}

async fn outcome(plan: Plan, upheaval: Upheaval, mut nats: Option<Nats>) -> Shared {
    let mut replicas = Vec::new();
    for method in Method::ALL {
        for _ in 0..3 {
            replicas.push(Here::start(method, nats.as_ref()).await);
        }
    }
    let target = Target::push().expect("a description");
    measure_replicas(&plan, upheaval, &target, &mut replicas, nats.as_mut()).await.expect("the run can be made")
}

const QUIET: Upheaval = Upheaval {
    nats_restarts: 0,
    replica_restarts: 0,
    kill_every: None,
    switch_methods: true,
    long_history: true,
    in_a_file: false,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_that_change_replica_and_method_get_everything_once_and_in_order_though_nats_is_killed() {
    let nats = Nats::start().await.expect("it is installed");
    let upheaval = Upheaval { nats_restarts: 2, replica_restarts: 1, ..QUIET };
    let outcome = outcome(plan(8), upheaval, Some(nats)).await;
    assert!(outcome.is_clean(), "{outcome:#?}");
    assert_eq!((outcome.replicas, outcome.nats_restarts, outcome.replica_restarts), (9, 2, 3));
    assert!(outcome.switches > 20, "{outcome:#?}");
    assert!(outcome.trouble.refused > 0, "{outcome:#?}");
    for outcome in outcome.by_first_method {
        assert!(outcome.injuries.total() > 20, "{outcome:#?}");
        assert!(outcome.score.reconnects > 10, "{outcome:#?}");
        assert_eq!(outcome.score.received, outcome.score.expected, "{outcome:#?}");
        assert_eq!(outcome.score.gaps.len(), 0, "{outcome:#?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replicas_that_share_no_history_are_found_out() {
    let outcome = outcome(Plan { deadline: Duration::from_secs(1), ..plan(2) }, QUIET, None).await;
    assert!(!outcome.is_clean(), "{outcome:#?}");
    for outcome in outcome.by_first_method {
        assert!(outcome.score.missing > 0, "{outcome:#?}");
    }
}
