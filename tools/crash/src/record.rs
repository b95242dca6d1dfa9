//! The record of what a program did to the files of a directory, as `recorder.c` writes it.
//!
//! An entry is a kind (1 byte), an inode, a number and a length (8 bytes each, little-endian on the machines that this runs
//! on), and as many bytes of data as the length says.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};

/// The kind of an entry that the program itself adds.
const NOTE: u8 = 7;

/// The bytes of an entry before its data.
const HEAD: usize = 25;

/// One entry of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step<'a> {
    /// A file was opened under a name, and made if it did not exist.
    Opened { inode: u64, name: &'a str },
    /// Bytes were written to a file at an offset.
    Written { inode: u64, offset: u64, data: &'a [u8] },
    /// A file was made this long.
    Resized { inode: u64, length: u64 },
    /// All changes of a file so far are on the disk.
    Synced { inode: u64 },
    /// All names of the directory so far are on the disk.
    DirectorySynced,
    /// A name was removed.
    Removed { name: &'a str },
    /// The program noted that it has told someone of a message.
    Noted(&'a [u8]),
}

/// A message that someone was told of: a publisher that it is confirmed, or a subscriber what it says.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct Told {
    pub offset: u64,
    pub topic: String,
    pub text: String,
}

/// A record that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("the record ends in the middle of an entry, or has one of an unknown kind, at byte {at}")]
pub(crate) struct Unreadable {
    at: usize,
}

/// The steps of a record.
///
/// # Errors
/// Fails when it is no whole record.
pub(crate) fn steps(record: &[u8]) -> Result<Vec<Step<'_>>, Unreadable> {
    let (mut steps, mut at) = (Vec::new(), 0);
    while at < record.len() {
        let (step, end) = step(record, at).ok_or(Unreadable { at })?;
        steps.push(step);
        at = end;
    }
    Ok(steps)
}

fn step(record: &[u8], at: usize) -> Option<(Step<'_>, usize)> {
    let number = |from: usize| {
        let bytes = record.get(at + from..at + from + 8)?;
        Some(u64::from_le_bytes(bytes.try_into().ok()?))
    };
    let (inode, offset, length) = (number(1)?, number(9)?, number(17)?);
    let end = (at + HEAD).checked_add(usize::try_from(length).ok()?)?;
    let data = record.get(at + HEAD..end)?;
    let name = || std::str::from_utf8(data).ok();
    let step = match *record.get(at)? {
        1 => Step::Opened { inode, name: name()? },
        2 => Step::Written { inode, offset, data },
        3 => Step::Resized { inode, length: offset },
        4 => Step::Synced { inode },
        5 => Step::DirectorySynced,
        6 => Step::Removed { name: name()? },
        NOTE => Step::Noted(data),
        _ => return None,
    };
    Some((step, end))
}

/// The program's own way into the record.
#[derive(Debug)]
pub(crate) struct Notes {
    record: File,
}

impl Notes {
    /// Opens a record that `recorder.c` writes.
    ///
    /// # Errors
    /// Fails when the file cannot be opened.
    pub(crate) fn open(record: &Path) -> io::Result<Self> {
        Ok(Self { record: OpenOptions::new().append(true).create(true).open(record)? })
    }

    /// Notes that someone has been told of messages.
    ///
    /// # Errors
    /// Fails when the record cannot be written.
    pub(crate) fn add(&mut self, told: &[Told]) -> io::Result<()> {
        let data = serde_json::to_vec(told)?;
        let mut entry = vec![NOTE];
        for number in [0, 0, data.len() as u64] {
            entry.extend_from_slice(&number.to_le_bytes());
        }
        entry.extend_from_slice(&data);
        self.record.lock()?;
        let written = self.record.write_all(&entry);
        self.record.unlock()?;
        written
    }
}
