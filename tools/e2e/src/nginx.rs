//! A real nginx in front of services.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::Stdio;

use anyhow::{Context, bail};
use tempfile::TempDir;
use tokio::net::{TcpSocket, TcpStream};
use tokio::process::{Child, Command};
use tokio::time::{Duration, interval, timeout};

use crate::PATIENCE;
use crate::service::{Method, Service, hold};

/// The instructions where nginx is missing.
const MISSING: &str = "starting nginx: run `cargo xtask test`, which unpacks it into the target folder";

/// The interval at which it is tried whether nginx listens.
const CHECK_INTERVAL: Duration = Duration::from_millis(10);

/// nginx, as a process that is killed when it is dropped.
#[derive(Debug)]
pub struct Nginx {
    services: [SocketAddr; 3],
    address: SocketAddr,
    process: Child,
    folder: TempDir,
    /// Reserves the port, also while nginx is started anew.
    _held: TcpSocket,
}

impl Nginx {
    /// Starts it in front of the three services, with further lines for all of them.
    ///
    /// # Errors
    /// Fails when it is missing, or finds the lines wrong.
    pub async fn start(services: &[Service; 3], lines: &str) -> anyhow::Result<Self> {
        Self::start_with(services, lines, "").await
    }

    /// As [`Nginx::start`], with other lines for streams of Server-Sent Events.
    ///
    /// # Errors
    /// See [`Nginx::start`].
    pub async fn start_with(services: &[Service; 3], lines: &str, lines_of_streams: &str) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        // nginx does not say which port it was given.
        let held = hold((Ipv4Addr::LOCALHOST, 0).into())?;
        let address = held.local_addr()?;
        let services = Method::ALL.map(|method| services.iter().find(|service| service.method() == method));
        let [Some(ws), Some(poll), Some(sse)] = services else { bail!("a service is missing") };
        let services = [ws.address(), poll.address(), sse.address()];
        let process = run(&folder, address, services, lines, lines_of_streams).await?;
        Ok(Self { services, address, process, folder, _held: held })
    }

    /// Ends it, with all connections, and starts it with other lines at the same address.
    ///
    /// # Errors
    /// See [`Nginx::start`].
    pub async fn restart_with(&mut self, lines: &str, lines_of_streams: &str) -> anyhow::Result<()> {
        self.process.kill().await?;
        self.process = run(&self.folder, self.address, self.services, lines, lines_of_streams).await?;
        Ok(())
    }

    /// The URL of a path.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The address on which it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

async fn run(
    folder: &TempDir,
    address: SocketAddr,
    [ws, poll, sse]: [SocketAddr; 3],
    lines: &str,
    lines_of_streams: &str,
) -> anyhow::Result<Child> {
    let temporary =
        ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(|name| format!("{name}_temp_path {name};"));
    let config = format!(
        "daemon off; master_process off; pid nginx.pid;\nevents {{ worker_connections 64; }}\n\
         http {{ access_log off; {}\nserver {{ listen {address};\n{lines}\n\
         location /events {{ {lines_of_streams} proxy_pass http://{sse}; }}\n\
         location /poll {{ proxy_pass http://{poll}; }}\n\
         location / {{ proxy_pass http://{ws}; }} }} }}\n",
        temporary.join(" ")
    );
    fs::write(folder.path().join("nginx.conf"), config)?;
    let program = std::env::var("NGINX_PROGRAM").unwrap_or_else(|_| "nginx".to_owned());
    let mut nginx = Command::new(&program);
    nginx.arg("-p").arg(folder.path()).args(["-c", "nginx.conf", "-e", "error.log"]);
    nginx.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
    let mut process = nginx.spawn().context(MISSING)?;
    let listens = async {
        let mut checks = interval(CHECK_INTERVAL);
        while TcpStream::connect(address).await.is_err() {
            checks.tick().await;
            if process.try_wait()?.is_some() {
                let log = fs::read_to_string(folder.path().join("error.log")).unwrap_or_default();
                bail!("nginx ended: {log}");
            }
        }
        anyhow::Ok(())
    };
    timeout(PATIENCE, listens).await.context("nginx does not listen")??;
    Ok(process)
}
