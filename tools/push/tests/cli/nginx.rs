//! A real nginx in front of services.

use std::fs;
use std::net::TcpListener;

use e2e::service::{Method, Service};
use tempfile::TempDir;
use testkit::soon;
use tokio::net::TcpStream;
use tokio::process::Child;

use crate::helpers::command;

/// The instructions where nginx is missing.
const MISSING: &str = "run `cargo xtask test`, which unpacks nginx into the target folder";

/// The attempts to find a port: another program may take one before nginx does.
const ATTEMPTS: usize = 5;

/// nginx, as a process that is killed when it is dropped.
pub(crate) struct Nginx {
    _process: Child,
    _folder: TempDir,
    pub(crate) url: String,
}

impl Nginx {
    /// Starts it in front of the three services, with further lines for all of them.
    pub(crate) async fn start(services: &[Service; 3], lines: &str) -> Self {
        Self::start_with(services, lines, "").await
    }

    /// As [`Nginx::start`], with other lines for streams of Server-Sent Events.
    pub(crate) async fn start_with(services: &[Service; 3], lines: &str, lines_of_streams: &str) -> Self {
        for _ in 0..ATTEMPTS {
            if let Some(nginx) = Self::try_start(services, lines, lines_of_streams).await {
                return nginx;
            }
        }
        panic!("nginx found no port");
    }

    async fn try_start(services: &[Service; 3], lines: &str, lines_of_streams: &str) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        // nginx does not say which port it was given.
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let of = |method| services.iter().find(|service| service.method() == method).unwrap().address();
        let (ws, poll, sse) = (of(Method::Ws), of(Method::Poll), of(Method::Sse));
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
        fs::write(folder.path().join("nginx.conf"), config).unwrap();
        let program = std::env::var("NGINX_PROGRAM").unwrap_or_else(|_| "nginx".to_owned());
        let prefix = folder.path().to_str().unwrap();
        let mut nginx = command(&program, &["-p", prefix, "-c", "nginx.conf", "-e", "error.log"]);
        let mut process = nginx.spawn().expect(MISSING);
        let listens = soon(async {
            loop {
                if TcpStream::connect(address).await.is_ok() {
                    return true;
                }
                if process.try_wait().unwrap().is_some() {
                    return false;
                }
                tokio::task::yield_now().await;
            }
        })
        .await;
        if !listens {
            let log = fs::read_to_string(folder.path().join("error.log")).unwrap_or_default();
            assert!(log.contains("Address already in use"), "{log}");
            return None;
        }
        Some(Self { _process: process, _folder: folder, url: format!("http://{address}") })
    }
}
