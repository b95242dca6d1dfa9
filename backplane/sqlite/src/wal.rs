//! The search for damage in the write-ahead log.
//!
//! SQLite reads the log up to the first frame whose checksum is wrong, and takes that for the end. Behind a torn commit, the last
//! of a machine that lost its power, this is right: every commit is synced before the next one begins, so whatever is behind
//! the first invalid frame belongs to that one commit, which was not confirmed. If frames of a second commit are behind it,
//! they were confirmed, and so was what is damaged before them.
//!
//! Frames of commits that never took place may be left behind the end too: a process was killed between writing and
//! committing, and the next one wrote a shorter commit over the beginning. So frames count only in a chain: a frame's checksum
//! continues that of the frame before it, and a chain with two commits was once the log itself.
//!
//! The format is that of <https://www.sqlite.org/fileformat2.html#walformat>.

use std::fmt;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

const HEADER: usize = 32;
const FRAME_HEADER: usize = 24;

/// The magic number, without the bit that says in which order the checksums take the bytes of a word.
const MAGIC: u32 = 0x377f_0682;

/// The page size that is assumed where the header cannot be read: SQLite's default, which `schema` does not change.
const PAGE: usize = 4096;

/// Damage before the end of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Damage {
    /// The number of the first frame that is not valid, from 1; 0 is the header.
    frame: u64,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.frame {
            0 => f.write_str("its header is not valid, and commits come after it"),
            frame => write!(f, "its frame {frame} is not valid, and later commits come after it"),
        }
    }
}

/// Searches a log for damage before its end. A log that does not exist has none.
///
/// Nobody else may write to it meanwhile.
pub(crate) fn find_damage(path: &Path) -> io::Result<Option<Damage>> {
    match File::open(path) {
        Ok(file) => Scan::new(BufReader::with_capacity(1 << 20, file))?.map_or(Ok(None), Scan::find_damage),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// The state of a checksum.
type Sum = [u32; 2];

/// A log that is read from its beginning to its end.
struct Scan<R> {
    log: R,
    big_endian: bool,
    /// The salts of the frames that count. `None` if the header is not valid.
    salts: Option<[u8; 8]>,
    sum: Sum,
    frame: Vec<u8>,
}

impl<R: Read> Scan<R> {
    /// Reads the header. Returns `None` for a log without one.
    fn new(mut log: R) -> io::Result<Option<Self>> {
        let mut header = [0; HEADER];
        if !fill(&mut log, &mut header)? {
            return Ok(None);
        }
        let magic = word(&header, 0);
        let big_endian = magic & 1 == 1;
        let sum = checksum([0, 0], &header[..24], big_endian);
        let valid = magic & !1 == MAGIC && sum == [word(&header, 24), word(&header, 28)];
        let page = if valid { word(&header, 8) as usize } else { PAGE };
        let salts = valid.then(|| header[16..24].try_into().unwrap_or_default());
        Ok(Some(Self { log, big_endian, salts, sum, frame: vec![0; FRAME_HEADER + page] }))
    }

    fn find_damage(mut self) -> io::Result<Option<Damage>> {
        let mut number = 0;
        let mut damage = self.salts.is_none().then_some(Damage { frame: 0 });
        // The commits in the present chain of frames behind the damage.
        let mut commits = 0;
        while fill(&mut self.log, &mut self.frame)? {
            number += 1;
            let (ours, continues) = self.check();
            if damage.is_none() && ours && continues {
                continue;
            }
            let first = damage.is_none();
            damage = damage.or(Some(Damage { frame: number }));
            if !ours {
                commits = 0;
                continue;
            }
            // The first invalid frame is a part of the chain that it interrupts.
            if !continues && !first && number > 1 {
                commits = 0;
            }
            commits += u32::from(word(&self.frame, 4) != 0);
            if commits >= 2 {
                return Ok(damage);
            }
        }
        Ok(None)
    }

    /// Returns whether the frame has the salts of the log, and whether it continues the frame before it.
    fn check(&mut self) -> (bool, bool) {
        let ours = self.salts.is_none_or(|salts| self.frame[8..16] == salts);
        let sum = checksum(self.sum, &self.frame[..8], self.big_endian);
        let sum = checksum(sum, &self.frame[FRAME_HEADER..], self.big_endian);
        self.sum = [word(&self.frame, 16), word(&self.frame, 20)];
        (ours, sum == self.sum)
    }
}

/// Fills a buffer. Returns false at the end of the log.
fn fill(log: &mut impl Read, buffer: &mut [u8]) -> io::Result<bool> {
    match log.read_exact(buffer) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

fn word(bytes: &[u8], at: usize) -> u32 {
    bytes[at..at + 4].iter().fold(0, |word, byte| word << 8 | u32::from(*byte))
}

/// Continues a checksum with bytes, an even number of words.
fn checksum(sum: Sum, bytes: &[u8], big_endian: bool) -> Sum {
    let mut words = bytes.chunks_exact(4).map(|word| {
        let word = [word[0], word[1], word[2], word[3]];
        if big_endian { u32::from_be_bytes(word) } else { u32::from_le_bytes(word) }
    });
    let [mut first, mut second] = sum;
    while let (Some(even), Some(odd)) = (words.next(), words.next()) {
        first = first.wrapping_add(even).wrapping_add(second);
        second = second.wrapping_add(odd).wrapping_add(first);
    }
    [first, second]
}

#[cfg(test)]
mod tests {
    use std::fs;

    use rusqlite::Connection;
    use tempfile::TempDir;

    use super::*;

    const FRAME: usize = FRAME_HEADER + PAGE;

    /// The bytes of a log with some commits, and the number of its frames after each commit.
    fn log(commits: usize) -> (Vec<u8>, Vec<usize>) {
        let directory = TempDir::new().unwrap();
        let path = directory.path().join("push.db");
        let connection = Connection::open(&path).unwrap();
        connection.execute_batch("PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0").unwrap();
        connection.execute_batch("CREATE TABLE t (text TEXT)").unwrap();
        let wal = directory.path().join("push.db-wal");
        let mut ends = Vec::new();
        for _ in 0..commits {
            // Several pages.
            connection.execute("INSERT INTO t VALUES (?1)", ["x".repeat(10_000)]).unwrap();
            ends.push((fs::metadata(&wal).unwrap().len() as usize - HEADER) / FRAME);
        }
        (fs::read(&wal).unwrap(), ends)
    }

    fn damage(log: &[u8]) -> Option<u64> {
        let scan = Scan::new(log).unwrap()?;
        scan.find_damage().unwrap().map(|damage| damage.frame)
    }

    /// Changes a byte of the content of a frame.
    fn flip(log: &mut [u8], frame: usize) {
        log[HEADER + (frame - 1) * FRAME + FRAME_HEADER + 100] ^= 1;
    }

    #[test]
    fn a_log_that_is_whole_has_no_damage() {
        let (log, _) = log(5);
        assert_eq!(damage(&log), None);
        assert_eq!(damage(&[]), None);
        assert_eq!(damage(&log[..HEADER]), None);
    }

    #[test]
    fn a_log_that_was_cut_off_anywhere_has_no_damage() {
        let (log, _) = log(3);
        for length in (0..log.len()).step_by(977) {
            assert_eq!(damage(&log[..length]), None, "{length} bytes");
        }
    }

    #[test]
    fn any_frame_of_the_last_commit_may_be_torn() {
        let (whole, ends) = log(4);
        for frame in ends[2] + 1..=ends[3] {
            let mut torn = whole.clone();
            flip(&mut torn, frame);
            assert_eq!(damage(&torn), None, "frame {frame} of {ends:?}");
            let begin = HEADER + (frame - 1) * FRAME;
            torn[begin..begin + FRAME].fill(0);
            assert_eq!(damage(&torn), None, "frame {frame} of {ends:?} is zeroes");
        }
    }

    #[test]
    fn an_invalid_frame_with_later_commits_behind_it_is_damage() {
        let (whole, ends) = log(5);
        for frame in 1..=ends[2] {
            let mut damaged = whole.clone();
            flip(&mut damaged, frame);
            assert_eq!(damage(&damaged), Some(frame as u64), "frame {frame} of {ends:?}");
            let begin = HEADER + (frame - 1) * FRAME;
            damaged[begin..begin + FRAME].fill(0);
            assert_eq!(damage(&damaged), Some(frame as u64), "frame {frame} of {ends:?} is zeroes");
        }
        let mut damaged = whole.clone();
        flip(&mut damaged, ends[3]);
        assert_eq!(damage(&damaged), Some(ends[3] as u64), "the commit itself, and another one");
    }

    #[test]
    fn a_header_that_is_damaged_hides_no_commits() {
        let (mut log, _) = log(3);
        log[..HEADER].fill(0);
        assert_eq!(damage(&log), Some(0));
    }

    #[test]
    fn what_is_left_of_commits_that_never_took_place_is_no_damage() {
        let (whole, ends) = log(4);
        // The frames behind the second commit have another beginning than the one that was committed.
        let mut left = whole[..HEADER + ends[1] * FRAME].to_vec();
        for _ in 0..3 {
            let (mut other, _) = log(4);
            // The same salts, as if it were the same log.
            other[16..24].copy_from_slice(&whole[16..24]);
            let frames = &other[HEADER + ends[1] * FRAME..HEADER + ends[2] * FRAME];
            for frame in frames.chunks(FRAME).skip(1) {
                let mut frame = frame.to_vec();
                frame[8..16].copy_from_slice(&whole[16..24]);
                left.extend(frame);
            }
        }
        assert_eq!(damage(&left), None);
    }
}
