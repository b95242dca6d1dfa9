//! The flags of the SQLite backplane.

use std::path::{Path, PathBuf};

use bytesize::ByteSize;
use clap::Args;
use clap::builder::FalseyValueParser;

/// The flags of a process whose history is in a file.
#[derive(Debug, Clone, Args)]
pub struct SqliteConfig {
    /// Keep the history in this directory, where it survives the process, and share it with every other process on this machine
    /// that is given the same directory. It is created if it is missing, and has to be on a disk of this machine. --history,
    /// --history-age and --history-bytes are the limits of the file
    #[arg(long, global = true, env = "PUSH_DATA", value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Use the directory of --data alone, without shared memory: for a file system that is not trusted with several processes,
    /// such as a network drive. Another process is refused
    #[arg(long, global = true, env = "PUSH_DATA_EXCLUSIVE", value_parser = FalseyValueParser::new())]
    pub data_exclusive: bool,
    /// Memory for the newest messages of --data; older ones are read from the file
    #[arg(long, env = "PUSH_MEMORY_BYTES", value_name = "BYTES", default_value = "64 MiB")]
    pub memory_bytes: ByteSize,
}

impl SqliteConfig {
    /// Returns whether the flags name a directory.
    pub fn is_asked_for(&self) -> bool {
        self.directory().is_some()
    }

    /// The directory. An empty variable counts as one that is not set.
    pub(crate) fn directory(&self) -> Option<&Path> {
        self.data.as_deref().filter(|path| !path.as_os_str().is_empty())
    }
}
