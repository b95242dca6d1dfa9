//! ChromeDriver, and the paths of the driver and of Chromium.

use std::env;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use anyhow::{Context, bail};

use crate::PATIENCE;

const CHROME: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
const DRIVER: [&str; 2] = ["chromedriver", "chromium.chromedriver"];

/// The longest time for the driver to close its browsers before it is killed.
const CLOSING: Duration = Duration::from_secs(5);

/// Returns the Chromium that the variable CHROME names, or the one on the path.
///
/// # Panics
/// Panics if there is none, with the instructions to install it.
pub fn chrome() -> PathBuf {
    program("CHROME", &CHROME)
}

fn program(variable: &str, names: &[&str]) -> PathBuf {
    if let Some(named) = env::var_os(variable).filter(|value| !value.is_empty()) {
        return named.into();
    }
    let folders: Vec<PathBuf> = env::split_paths(&env::var_os("PATH").unwrap_or_default()).collect();
    let places = names.iter().flat_map(|name| folders.iter().map(move |folder| folder.join(name)));
    places.into_iter().find(|place| place.is_file()).unwrap_or_else(|| {
        panic!(
            "these tests need Chromium and ChromeDriver, and {} is not on the path: `cargo xtask test` installs both; \
             by hand, install the packages chromium and chromium-driver (Debian), or name the program in {variable}",
            names[0],
        )
    })
}

/// The driver takes a free port of IPv6 and ends if the same port of IPv4 is taken.
const ATTEMPTS: usize = 20;

/// A WebDriver server on a port of its own. When it is dropped, it and its browsers end.
#[derive(Debug)]
pub struct Driver {
    process: Child,
    port: u16,
    startup: Receiver<Startup>,
}

impl Driver {
    /// Starts the driver that the variable CHROMEDRIVER names, or the one on the path.
    ///
    /// # Errors
    /// Fails when it does not start.
    ///
    /// # Panics
    /// Panics if there is none, with the instructions to install it.
    pub fn start() -> anyhow::Result<Self> {
        let program = program("CHROMEDRIVER", &DRIVER);
        for _ in 0..ATTEMPTS {
            let mut process = Command::new(&program)
                .arg("--port=0")
                .stdin(Stdio::null())
                .stdout(Stdio::piped())
                .stderr(Stdio::null())
                .spawn()
                .with_context(|| format!("starting {}", program.display()))?;
            let output = process.stdout.take().context("the driver's output is piped")?;
            let mut driver = Self { process, port: 0, startup: startup(output) };
            match driver.startup.recv_timeout(PATIENCE).context("the driver did not print its port")? {
                Startup::Port(port) => {
                    driver.port = port;
                    return Ok(driver);
                }
                Startup::Taken => {}
                Startup::Else(output) => bail!("the driver did not start:\n{output}"),
            }
        }
        bail!("in {ATTEMPTS} attempts the driver found no port")
    }

    /// Its base URL.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Asks it to close its browsers and to end.
    fn shut_down(&mut self) -> anyhow::Result<()> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port))?;
        stream.set_read_timeout(Some(CLOSING))?;
        write!(stream, "GET /shutdown HTTP/1.1\r\nhost: 127.0.0.1:{}\r\nconnection: close\r\n\r\n", self.port)?;
        // The content of its answer does not matter.
        let _ = stream.read_to_end(&mut Vec::new());
        // Its output ends with it and its browsers.
        self.startup.recv_timeout(CLOSING).context("the driver did not end")?;
        self.process.wait()?;
        Ok(())
    }
}

/// The outcome of the driver's start.
#[derive(Debug)]
enum Startup {
    Port(u16),
    Taken,
    Else(String),
}

/// Reads the driver's output to the end, since it would block otherwise. Sends the outcome of its start, and once more at
/// the end.
fn startup(output: ChildStdout) -> Receiver<Startup> {
    let (outcome, startup) = mpsc::channel();
    std::thread::spawn(move || {
        let mut all = String::new();
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            let port = line.strip_suffix('.').and_then(|line| line.rsplit_once("successfully on port "));
            if let Some(port) = port.and_then(|(_, port)| port.parse().ok()) {
                // An error means that nobody waits any more; the same holds below.
                let _ = outcome.send(Startup::Port(port));
            }
            all.push_str(&line);
            all.push('\n');
        }
        let _ = outcome.send(if all.contains("port not available") { Startup::Taken } else { Startup::Else(all) });
    });
    startup
}

impl Drop for Driver {
    fn drop(&mut self) {
        if self.shut_down().is_err() {
            // It may have ended by itself; then there is nothing to kill.
            let _ = self.process.kill();
            let _ = self.process.wait();
        }
    }
}
