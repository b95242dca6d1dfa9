//! NATS servers as processes.

use std::env;
use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use async_nats::jetstream;
use testkit::{NatsProcess, Signal, signal, soon};

use crate::replica::pause;

/// A NATS server with JetStream and a store of its own. It is killed, and the store removed, when dropped.
#[derive(Debug)]
pub struct NatsServer {
    process: Option<NatsProcess>,
    store: PathBuf,
    port: u16,
    extra: Vec<String>,
}

/// All of these panic when the server does not do its part.
impl NatsServer {
    /// Starts a server on a port that the system chose.
    pub async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// Starts a server with more flags.
    pub async fn start_with(flags: &[&str]) -> Self {
        static STARTED: AtomicU32 = AtomicU32::new(0);
        let name = format!("nats-{}-{}", std::process::id(), STARTED.fetch_add(1, Ordering::Relaxed));
        let mut server = Self { process: None, store: env::temp_dir().join(name), port: 0, extra: Vec::new() };
        server.extra = flags.iter().map(|flag| (*flag).to_owned()).collect();
        server.run().await;
        server
    }

    /// Starts it again, on the same port.
    pub async fn run(&mut self) {
        let port = Some(self.port).filter(|&port| port != 0);
        let process = NatsProcess::start(&self.store, port, &self.extra).await.expect("the server starts");
        self.port = process.port();
        self.process = Some(process);
    }

    /// Its URL.
    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// The port on which it listens.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Kills it, as `kill -9` does.
    pub fn kill(&mut self) {
        self.process = None;
    }

    /// Suspends the process, and waits until none of its threads runs.
    pub async fn suspend(&self) {
        let process = self.process.as_ref().expect("the server runs").process();
        signal(process, Signal::SIGSTOP);
        soon(async {
            while has_running_threads(process.id()) {
                pause().await;
            }
        })
        .await;
    }

    /// Resumes the process.
    pub fn resume(&self) {
        signal(self.process.as_ref().expect("the server runs").process(), Signal::SIGCONT);
    }

    /// Kills it and removes its store.
    pub fn wipe(&mut self) {
        self.kill();
        fs::remove_dir_all(&self.store).expect("the store is there");
    }

    /// Kills it and copies its store.
    pub fn save_store(&mut self) {
        self.kill();
        let _ = fs::remove_dir_all(self.store.with_extension("saved"));
        copy(&self.store, &self.store.with_extension("saved"));
    }

    /// Kills it and replaces its store by the copy.
    pub fn restore_store(&mut self) {
        self.wipe();
        copy(&self.store.with_extension("saved"), &self.store);
    }

    /// A JetStream client of it.
    pub async fn jetstream(&self) -> jetstream::Context {
        jetstream::new(soon(async_nats::connect(self.url())).await.expect("the server listens"))
    }
}

impl Drop for NatsServer {
    fn drop(&mut self) {
        self.process = None;
        let _ = fs::remove_dir_all(&self.store);
        let _ = fs::remove_dir_all(self.store.with_extension("saved"));
    }
}

/// A cluster of three servers.
#[derive(Debug)]
pub struct NatsCluster {
    /// The servers of the cluster.
    pub servers: Vec<NatsServer>,
}

impl NatsCluster {
    /// Starts the cluster.
    ///
    /// # Panics
    /// When they do not become a cluster.
    pub async fn start() -> Self {
        // The servers have to know each other's ports before they start.
        let listeners = [(); 3].map(|()| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port"));
        let ports = listeners.map(|listener| listener.local_addr().expect("a bound listener has an address").port());
        let routes = ports.map(|port| format!("nats://127.0.0.1:{port}")).join(",");
        let mut servers = Vec::new();
        for (index, port) in ports.into_iter().enumerate() {
            let store = env::temp_dir().join(format!("nats-cluster-{}-{index}-{port}", std::process::id()));
            let listen = format!("nats://127.0.0.1:{port}");
            let name = format!("n{index}");
            let extra = ["-n", &name, "--cluster", &listen, "--cluster_name", "push", "--routes", &routes];
            let extra = extra.map(str::to_owned).to_vec();
            servers.push(NatsServer { process: None, store, port: 0, extra });
        }
        let mut cluster = Self { servers };
        for server in &mut cluster.servers {
            server.run().await;
        }
        // Nothing answers before the cluster has a leader.
        let jetstream = cluster.servers[0].jetstream().await;
        soon(async { while jetstream.query_account().await.is_err() {} }).await;
        cluster
    }

    /// The URLs of all servers.
    pub fn urls(&self) -> String {
        self.servers.iter().map(NatsServer::url).collect::<Vec<_>>().join(",")
    }

    /// The index of the server that leads a stream.
    ///
    /// # Panics
    /// When the stream has no leader.
    pub async fn leader(&self, stream: &str) -> usize {
        let jetstream = self.servers[0].jetstream().await;
        let stream = soon(jetstream.get_stream(stream)).await.expect("there is a leader");
        let leader = stream.cached_info().cluster.as_ref().and_then(|cluster| cluster.leader.clone());
        let leader = leader.expect("there is a leader");
        leader.trim_start_matches('n').parse().expect("a server's name ends with its number")
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("the folder can be made");
    for entry in fs::read_dir(from).expect("the folder is there") {
        let entry = entry.expect("the folder can be read");
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).expect("the file can be copied");
        }
    }
}

/// Returns whether a thread of a process is not stopped, as far as the system has `/proc`.
fn has_running_threads(process: i32) -> bool {
    let threads = fs::read_dir(format!("/proc/{process}/task")).into_iter().flatten().flatten();
    let states = threads.filter_map(|thread| fs::read_to_string(thread.path().join("stat")).ok());
    // The state comes after the name, which is in parentheses.
    states.into_iter().any(|stat| !stat.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with('T')))
}
