//! A disk that loses, tears and reorders what was not synced when its machine crashes.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use fastrand::Rng;

use crate::record::Step;

/// The unit that a disk writes as a whole, in bytes.
const SECTOR: usize = 512;

/// A disk, and what has been asked of it since.
#[derive(Debug, Default)]
pub(crate) struct Disk<'a> {
    /// The files by their inodes.
    files: HashMap<u64, Content<'a>>,
    /// The names that are on the disk.
    names: HashMap<String, u64>,
    /// The changes of names that need not be on the disk, in order. `None` is a removal.
    unsynced_names: Vec<(String, Option<u64>)>,
}

#[derive(Debug, Default)]
struct Content<'a> {
    synced: Vec<u8>,
    unsynced: Vec<Change<'a>>,
}

#[derive(Debug, Clone, Copy)]
enum Change<'a> {
    Written { offset: u64, data: &'a [u8] },
    Resized { length: u64 },
}

/// The way in which a disk fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Failure {
    /// All that was asked for is there.
    None,
    /// Nothing that was not synced is there.
    All,
    /// Each sector is there or not, whatever was asked for first.
    Some,
    /// The first writes are there, the last of them perhaps in part.
    Late,
}

impl<'a> Disk<'a> {
    /// A disk that has the files of a directory.
    ///
    /// # Errors
    /// Fails when the directory cannot be read.
    pub(crate) fn with_files(directory: &Path) -> io::Result<Self> {
        let mut disk = Self::default();
        for entry in fs::read_dir(directory)? {
            let entry = entry?;
            let inode = entry.metadata()?.ino();
            let synced = fs::read(entry.path())?;
            disk.files.insert(inode, Content { synced, unsynced: Vec::new() });
            disk.names.insert(entry.file_name().to_string_lossy().into_owned(), inode);
        }
        Ok(disk)
    }

    /// Does what a step of the record asks for.
    pub(crate) fn take(&mut self, step: Step<'a>) {
        match step {
            Step::Opened { inode, name } => {
                if self.inode(name) != Some(inode) {
                    self.unsynced_names.push((name.to_owned(), Some(inode)));
                }
            }
            Step::Written { inode, offset, data } => self.change(inode, Change::Written { offset, data }),
            Step::Resized { inode, length } => self.change(inode, Change::Resized { length }),
            Step::Synced { inode } => {
                let content = self.files.entry(inode).or_default();
                for change in std::mem::take(&mut content.unsynced) {
                    change.apply(&mut content.synced);
                }
            }
            Step::DirectorySynced => {
                for (name, inode) in std::mem::take(&mut self.unsynced_names) {
                    set(&mut self.names, name, inode);
                }
            }
            Step::Removed { name } => self.unsynced_names.push((name.to_owned(), None)),
            Step::Noted(_) => {}
        }
    }

    /// Writes the files that are there after a crash into a directory. What is not synced is there or not, as the dice fall.
    ///
    /// # Errors
    /// Fails when a file cannot be written.
    pub(crate) fn crash(&self, dice: &mut Rng, into: &Path) -> io::Result<()> {
        let mut names = self.names.clone();
        // A file system keeps the order of names, so what is missing are the last ones.
        let kept = dice.usize(..=self.unsynced_names.len());
        for (name, inode) in &self.unsynced_names[..kept] {
            set(&mut names, name.clone(), *inode);
        }
        for (name, inode) in names {
            let content = self.files.get(&inode).map(|content| content.after_crash(dice)).unwrap_or_default();
            fs::write(into.join(name), content)?;
        }
        Ok(())
    }

    fn change(&mut self, inode: u64, change: Change<'a>) {
        self.files.entry(inode).or_default().unsynced.push(change);
    }

    /// The inode of a name as the program sees it.
    fn inode(&self, name: &str) -> Option<u64> {
        let latest = self.unsynced_names.iter().rev().find(|(changed, _)| changed == name);
        latest.map_or_else(|| self.names.get(name).copied(), |(_, inode)| *inode)
    }
}

fn set(names: &mut HashMap<String, u64>, name: String, inode: Option<u64>) {
    match inode {
        Some(inode) => drop(names.insert(name, inode)),
        None => drop(names.remove(&name)),
    }
}

impl Content<'_> {
    fn after_crash(&self, dice: &mut Rng) -> Vec<u8> {
        let mut bytes = self.synced.clone();
        let failures = [Failure::None, Failure::All, Failure::Some, Failure::Some, Failure::Late];
        match failures[dice.usize(..failures.len())] {
            Failure::None => self.unsynced.iter().for_each(|change| change.apply(&mut bytes)),
            Failure::All => {}
            Failure::Some => self.unsynced.iter().for_each(|change| change.apply_some(&mut bytes, dice)),
            Failure::Late => {
                let whole = dice.usize(..=self.unsynced.len());
                self.unsynced[..whole].iter().for_each(|change| change.apply(&mut bytes));
                if let Some(change) = self.unsynced.get(whole) {
                    change.apply_some(&mut bytes, dice);
                }
            }
        }
        bytes
    }
}

impl Change<'_> {
    fn apply(&self, bytes: &mut Vec<u8>) {
        match *self {
            Self::Written { offset, data } => put(bytes, offset as usize, data),
            Self::Resized { length } => bytes.resize(length as usize, 0),
        }
    }

    /// Writes some of the sectors.
    fn apply_some(&self, bytes: &mut Vec<u8>, dice: &mut Rng) {
        let Self::Written { offset, data } = *self else {
            if dice.bool() {
                self.apply(bytes);
            }
            return;
        };
        let (mut offset, mut left) = (offset as usize, data);
        while !left.is_empty() {
            let (sector, rest) = left.split_at((SECTOR - offset % SECTOR).min(left.len()));
            if dice.bool() {
                put(bytes, offset, sector);
            }
            offset += sector.len();
            left = rest;
        }
    }
}

fn put(bytes: &mut Vec<u8>, offset: usize, data: &[u8]) {
    let end = offset + data.len();
    if bytes.len() < end {
        bytes.resize(end, 0);
    }
    bytes[offset..end].copy_from_slice(data);
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    const SYNCED: [u8; 1024] = [1; 1024];
    const UNSYNCED: [u8; 1024] = [2; 1024];

    /// The file after each of many crashes, if it is there.
    fn after_crashes(steps: &[Step<'_>]) -> Vec<Option<Vec<u8>>> {
        let mut disk = Disk::default();
        steps.iter().for_each(|step| disk.take(*step));
        let mut dice = Rng::with_seed(1);
        let crash = |_| {
            let directory = TempDir::new().unwrap();
            disk.crash(&mut dice, directory.path()).unwrap();
            fs::read(directory.path().join("file")).ok()
        };
        (0..200).map(crash).collect()
    }

    #[test]
    fn what_was_synced_is_always_there() {
        let files = after_crashes(&[
            Step::Opened { inode: 7, name: "file" },
            Step::Written { inode: 7, offset: 0, data: &SYNCED },
            Step::Synced { inode: 7 },
            Step::DirectorySynced,
        ]);
        assert!(files.iter().all(|file| file.as_deref() == Some(&SYNCED[..])));
    }

    #[test]
    fn what_was_not_synced_is_there_or_not_sector_by_sector() {
        let files = after_crashes(&[
            Step::Opened { inode: 7, name: "file" },
            Step::Written { inode: 7, offset: 0, data: &SYNCED },
            Step::Synced { inode: 7 },
            Step::DirectorySynced,
            Step::Written { inode: 7, offset: 0, data: &UNSYNCED },
        ]);
        for expected in [[1, 1], [2, 2], [1, 2], [2, 1]] {
            let sectors = |file: &Option<Vec<u8>>| file.as_deref().is_some_and(|file| [file[0], file[512]] == expected);
            assert!(files.iter().any(sectors), "{expected:?} never happens");
        }
    }

    #[test]
    fn a_name_that_was_not_synced_is_there_or_not_and_so_is_one_that_was_removed() {
        let opened = [Step::Opened { inode: 7, name: "file" }, Step::Synced { inode: 7 }];
        let removed = [opened[0], Step::DirectorySynced, Step::Removed { name: "file" }];
        for steps in [&opened[..], &removed] {
            let files = after_crashes(steps);
            assert!(files.iter().any(Option::is_some) && files.iter().any(Option::is_none));
        }
    }

    #[test]
    fn a_file_that_was_made_longer_or_shorter_is_so_or_not() {
        let files = after_crashes(&[
            Step::Opened { inode: 7, name: "file" },
            Step::Written { inode: 7, offset: 0, data: &SYNCED },
            Step::Synced { inode: 7 },
            Step::DirectorySynced,
            Step::Resized { inode: 7, length: 10 },
        ]);
        let lengths: Vec<usize> = files.iter().flatten().map(Vec::len).collect();
        assert!(lengths.contains(&10) && lengths.contains(&1024));
    }
}
