//! The bells by which processes learn at once that there are new messages.
//!
//! Each process has a datagram socket in a folder of the directory. A process that dies leaves its socket behind, which refuses what
//! is sent to it; whoever notices that removes it. A process whose bell cannot be rung finds the messages by looking.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::database::Database;

/// The interval between two looks for messages for which the bell was not rung.
const LOOK: Duration = Duration::from_millis(50);

/// The time for which the list of sockets is used again.
const LISTED_FOR: Duration = Duration::from_millis(50);

/// The longest path that a socket's address can have on every system, in bytes.
const MAX_PATH: usize = 100;

/// The socket of this process.
pub(crate) struct Bell {
    socket: UnixDatagram,
    /// Removed when this is dropped.
    path: Option<PathBuf>,
}

/// The sockets of the other processes, and the way to that of this one.
pub(crate) struct Bells {
    /// Not bound to an address.
    sender: UnixDatagram,
    own: Own,
    folder: Option<Folder>,
    listed: Vec<PathBuf>,
    listed_at: Option<Instant>,
}

/// The way to the socket of this process.
enum Own {
    /// It is one of those in the folder.
    Path(PathBuf),
    /// It is not in the folder.
    Pair(UnixDatagram),
}

/// The folder of the sockets.
struct Folder {
    path: PathBuf,
    /// The way to a file in it by which a socket's address stays short enough.
    short: PathBuf,
    _open: File,
}

impl Folder {
    fn open(path: PathBuf) -> io::Result<Self> {
        let open = File::open(&path)?;
        let long = path.as_os_str().len() + 1 + NAME_BYTES > MAX_PATH;
        let short = if long { PathBuf::from(format!("/proc/self/fd/{}", open.as_raw_fd())) } else { path.clone() };
        Ok(Self { path, short, _open: open })
    }

    fn list(&self) -> io::Result<Vec<PathBuf>> {
        let mut paths = Vec::new();
        for entry in fs::read_dir(&self.path)? {
            let name = entry?.file_name();
            if name.as_encoded_bytes().ends_with(SUFFIX.as_bytes()) {
                paths.push(self.short.join(name));
            }
        }
        Ok(paths)
    }
}

/// The end of a socket's name.
const SUFFIX: &str = ".bell";

/// The longest name of a socket, in bytes.
const NAME_BYTES: usize = 32;

/// Makes the socket of this process, and the bells that it rings.
pub(crate) fn hang(database: &Database) -> io::Result<(Bell, Bells)> {
    if database.is_exclusive() {
        return alone();
    }
    match bind(database) {
        Ok(bound) => Ok(bound),
        Err(error) => {
            tracing::warn!(%error, "other processes cannot ring the bell of this one, so their messages are late by up to 50 ms");
            alone()
        }
    }
}

/// Makes a socket that only this process reaches.
fn alone() -> io::Result<(Bell, Bells)> {
    let (socket, own) = UnixDatagram::pair()?;
    own.set_nonblocking(true)?;
    let sender = UnixDatagram::unbound()?;
    let bells = Bells { sender, own: Own::Pair(own), folder: None, listed: Vec::new(), listed_at: None };
    Ok((Bell::new(socket, None)?, bells))
}

fn bind(database: &Database) -> io::Result<(Bell, Bells)> {
    let folder = Folder::open(database.directory().bells().map_err(io::Error::other)?)?;
    let name = format!("{}-{:08x}{SUFFIX}", std::process::id(), fastrand::u32(..));
    let own = folder.short.join(OsStr::new(&name));
    let socket = UnixDatagram::bind(&own)?;
    let path = Some(folder.path.join(name));
    let sender = UnixDatagram::unbound()?;
    sender.set_nonblocking(true)?;
    let bells = Bells { sender, own: Own::Path(own), folder: Some(folder), listed: Vec::new(), listed_at: None };
    Ok((Bell::new(socket, path)?, bells))
}

impl Bell {
    fn new(socket: UnixDatagram, path: Option<PathBuf>) -> io::Result<Self> {
        socket.set_read_timeout(Some(LOOK))?;
        Ok(Self { socket, path })
    }

    /// Waits until the bell is rung, or until it is time to look all the same.
    pub(crate) fn wait(&self) -> io::Result<()> {
        let mut buffer = [0; 1];
        match self.socket.recv(&mut buffer) {
            Ok(_) => {}
            Err(error)
                if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted) =>
            {
                return Ok(());
            }
            Err(error) => return Err(error),
        }
        // It may have been rung several times.
        self.socket.set_nonblocking(true)?;
        while self.socket.recv(&mut buffer).is_ok() {}
        self.socket.set_nonblocking(false)
    }
}

impl Drop for Bell {
    fn drop(&mut self) {
        if let Some(path) = &self.path {
            // It may be gone already.
            let _ = fs::remove_file(path);
        }
    }
}

impl Bells {
    /// Rings the bell of this process.
    pub(crate) fn ring_own(&self) {
        // A full buffer means that it was rung already.
        let _ = match &self.own {
            Own::Pair(own) => own.send(&[1]),
            Own::Path(path) => self.sender.send_to(&[1], path),
        };
    }

    /// Rings the bell of every other process.
    pub(crate) fn ring_others(&mut self) {
        self.list();
        for path in &self.listed {
            if matches!(&self.own, Own::Path(own) if own == path) {
                continue;
            }
            match self.sender.send_to(&[1], path) {
                Err(error) if error.kind() == ErrorKind::ConnectionRefused => {
                    tracing::debug!(path = %path.display(), "removed the socket of a process that has ended");
                    let _ = fs::remove_file(path);
                    self.listed_at = None;
                }
                _ => {}
            }
        }
    }

    fn list(&mut self) {
        let Some(folder) = &self.folder else { return };
        if self.listed_at.is_none_or(|listed| listed.elapsed() >= LISTED_FOR) {
            match folder.list() {
                Ok(listed) => (self.listed, self.listed_at) = (listed, Some(Instant::now())),
                Err(error) => tracing::debug!(%error, "the sockets of other processes cannot be listed"),
            }
        }
    }
}
