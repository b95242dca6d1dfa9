//! The WebDriver server of a browser, as a process.

use std::io::{self, BufRead, BufReader, PipeReader, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::net::TcpSocket;

use crate::PATIENCE;
use crate::engine::{Engine, XVFB};
use crate::service::hold;

/// The longest time for the driver to close its browsers before they are killed.
const CLOSING: Duration = Duration::from_secs(5);

/// ChromeDriver takes a free port of IPv6 and ends if the same port of IPv4 is taken.
const ATTEMPTS: usize = 20;

/// The pause between two attempts to connect to a driver that does not say when it listens.
const PAUSE: Duration = Duration::from_millis(10);

/// A WebDriver server on a port of its own. When it is dropped, it and its browser end.
#[derive(Debug)]
pub struct Driver {
    engine: Engine,
    group: Group,
    port: u16,
    /// Tells when the output ends, which is with the last of its processes.
    output: Option<Receiver<Startup>>,
    /// The session of the browser, once there is one.
    session: Option<String>,
    _screen: Option<Screen>,
    _held: Option<TcpSocket>,
}

impl Driver {
    /// Starts the driver of a browser. What it and the browser write is in `folder`.
    ///
    /// # Errors
    /// Fails when it does not start.
    ///
    /// # Panics
    /// Panics if there is none, with the instructions to install it.
    pub fn start(engine: Engine, folder: &Path) -> anyhow::Result<Self> {
        let mut command = Command::new(engine.driver());
        command.env("TMPDIR", folder).stdin(Stdio::null());
        match engine {
            Engine::Chromium => Self::start_announced(engine, command.arg("--port=0")),
            Engine::Firefox => {
                Self::start_announced(engine, command.args(["--port=0", "--websocket-port=0", "--log=info"]))
            }
            Engine::WebKit => Self::start_on_screen(engine, command, folder),
        }
    }

    /// Starts a driver that chooses its port and says which one.
    fn start_announced(engine: Engine, command: &mut Command) -> anyhow::Result<Self> {
        for _ in 0..ATTEMPTS {
            let (output, writer) = io::pipe()?;
            let group = Group::start(command.stdout(writer.try_clone()?).stderr(writer))?;
            // The command has the pipe's other ends, without which the output would never end.
            command.stdout(Stdio::null()).stderr(Stdio::null());
            let output = startup(output);
            match output.recv_timeout(PATIENCE).context("the driver did not print its port")? {
                Startup::Port(port) => {
                    return Ok(Self {
                        engine,
                        group,
                        port,
                        output: Some(output),
                        session: None,
                        _screen: None,
                        _held: None,
                    });
                }
                Startup::Taken => {}
                Startup::Else(output) => bail!("the driver did not start:\n{output}"),
            }
        }
        bail!("in {ATTEMPTS} attempts the driver found no port")
    }

    /// Starts a driver that is given its port, and whose browser needs a screen.
    fn start_on_screen(engine: Engine, mut command: Command, folder: &Path) -> anyhow::Result<Self> {
        let screen = Screen::start()?;
        let held = hold((Ipv4Addr::LOCALHOST, 0).into())?;
        let port = held.local_addr()?.port();
        command.arg(format!("--port={port}")).stdout(Stdio::null()).stderr(Stdio::null());
        command.env("DISPLAY", &screen.display).env("HOME", folder).env("XDG_RUNTIME_DIR", folder);
        for variable in ["XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "http_proxy", "https_proxy", "all_proxy"]
        {
            command.env_remove(variable);
        }
        // There is no bus for accessibility, and no graphics card.
        command.env("NO_AT_BRIDGE", "1").env("LIBGL_ALWAYS_SOFTWARE", "1").env("WEBKIT_DISABLE_DMABUF_RENDERER", "1");
        let group = Group::start(&mut command)?;
        let mut driver =
            Self { engine, group, port, output: None, session: None, _screen: Some(screen), _held: Some(held) };
        let deadline = Instant::now() + PATIENCE;
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            ensure!(driver.group.leader.try_wait()?.is_none(), "the driver ended at once");
            ensure!(Instant::now() < deadline, "the driver does not listen");
            thread::sleep(PAUSE);
        }
        Ok(driver)
    }

    /// Its base URL.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Notes the session of the browser, which is ended with the driver.
    pub(crate) fn note_session(&mut self, session: String) {
        self.session = Some(session);
    }

    /// Asks it to close its browser.
    fn close_browser(&self) -> anyhow::Result<()> {
        let request = match (self.engine, &self.session) {
            (Engine::Chromium, _) => "GET /shutdown".to_owned(),
            (_, Some(session)) => format!("DELETE /session/{session}"),
            (_, None) => return Ok(()),
        };
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port))?;
        stream.set_read_timeout(Some(CLOSING))?;
        write!(stream, "{request} HTTP/1.1\r\nhost: 127.0.0.1:{}\r\nconnection: close\r\n\r\n", self.port)?;
        // The content of its answer does not matter.
        let _ = stream.read_to_end(&mut Vec::new());
        if self.engine == Engine::Chromium
            && let Some(output) = &self.output
        {
            // It answers before its browser has ended, which is in a group of its own.
            output.recv_timeout(CLOSING).context("the driver did not end")?;
        }
        Ok(())
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        // A driver that cannot be asked is killed with its browser, as everything is that is left.
        let _ = self.close_browser();
    }
}

/// A process with its children, which are killed together when it is dropped.
#[derive(Debug)]
struct Group {
    leader: Child,
}

impl Group {
    fn start(command: &mut Command) -> anyhow::Result<Self> {
        let leader = command.process_group(0).spawn().with_context(|| format!("starting {command:?}"))?;
        Ok(Self { leader })
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // All of them may have ended by themselves; then there is nothing to kill. The number is the group's until the leader is waited for.
        if let Ok(id) = i32::try_from(self.leader.id()) {
            let _ = killpg(Pid::from_raw(id), Signal::SIGKILL);
        }
        let _ = self.leader.wait();
    }
}

/// A screen in memory (Xvfb).
#[derive(Debug)]
struct Screen {
    display: String,
    _group: Group,
}

impl Screen {
    fn start() -> anyhow::Result<Self> {
        let (output, writer) = io::pipe()?;
        let mut command = Command::new(XVFB.path());
        // It chooses a number and says which one.
        command.args(["-displayfd", "1", "-screen", "0", "1280x1024x24", "-nolisten", "tcp"]);
        let group = Group::start(command.stdin(Stdio::null()).stdout(writer).stderr(Stdio::null()))?;
        drop(command);
        let mut number = String::new();
        BufReader::new(output).read_line(&mut number)?;
        ensure!(!number.trim().is_empty(), "Xvfb ended at once");
        Ok(Self { display: format!(":{}", number.trim()), _group: group })
    }
}

/// The outcome of a driver's start.
#[derive(Debug)]
enum Startup {
    Port(u16),
    Taken,
    Else(String),
}

/// Reads a driver's output to the end, since it would block otherwise. Sends the outcome of its start.
fn startup(output: PipeReader) -> Receiver<Startup> {
    let (outcome, startup) = mpsc::channel();
    thread::spawn(move || {
        let mut all = String::new();
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            if let Some(port) = announced(&line) {
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

/// The port, if this is the line that says it: of ChromeDriver or of geckodriver.
fn announced(line: &str) -> Option<u16> {
    let port = match line.rsplit_once("successfully on port ") {
        Some((_, port)) => port.strip_suffix('.')?,
        None => line.rsplit_once("Listening on 127.0.0.1:")?.1,
    };
    port.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_port_is_in_the_output() {
        assert_eq!(announced("ChromeDriver was started successfully on port 41234."), Some(41234));
        assert_eq!(announced("1764237600000\tgeckodriver\tINFO\tListening on 127.0.0.1:41235"), Some(41235));
        assert_eq!(announced("Only local connections are allowed."), None);
    }
}
