//! The CPU time and memory of a process, as Linux accounts for them.

use std::fs;
use std::time::Duration;

use anyhow::{Context, bail};

/// The ticks per second of `/proc/PID/stat`, on every Linux.
const TICKS: u64 = 100;

/// A process and its descendants, or a process alone.
#[derive(Debug, Clone)]
pub struct Process {
    id: u32,
    /// Descendants do not count.
    alone: bool,
}

/// Memory in bytes.
#[derive(Debug, Clone, Copy)]
pub struct Memory {
    /// The resident memory.
    pub rss: u64,
    /// The resident memory, where a page that is shared counts in proportion (Pss).
    pub pss: u64,
}

impl Process {
    /// A process by its id.
    pub fn new(id: u32) -> Self {
        Self { id, alone: false }
    }

    /// This process alone: its descendants are the servers that are measured.
    pub fn this() -> Self {
        Self { id: std::process::id(), alone: true }
    }

    /// The CPU time since the process began: in nanoseconds from the `schedstat` of its threads, or where the kernel
    /// keeps none, in ticks from `stat`. Only the latter includes threads that have ended.
    ///
    /// # Errors
    /// Fails when there is no such process.
    pub fn cpu(&self) -> anyhow::Result<Duration> {
        self.family()?.into_iter().map(cpu).sum()
    }

    /// Its memory.
    ///
    /// # Errors
    /// Fails when there is no such process, or it is another user's.
    pub fn memory(&self) -> anyhow::Result<Memory> {
        let mut memory = Memory { rss: 0, pss: 0 };
        for id in self.family()? {
            let path = format!("/proc/{id}/smaps_rollup");
            let text = fs::read_to_string(&path).with_context(|| format!("reading {path}"))?;
            memory.rss += kibibytes(&text, "Rss:")? * 1024;
            memory.pss += kibibytes(&text, "Pss:")? * 1024;
        }
        Ok(memory)
    }

    /// Its resident memory as the kernel counts it by itself, without a walk over all pages: cheap enough to be read often.
    ///
    /// # Errors
    /// Fails when there is no such process.
    pub(crate) fn rss(&self) -> anyhow::Result<u64> {
        let mut bytes = 0;
        for id in self.family()? {
            let path = format!("/proc/{id}/status");
            let text = fs::read_to_string(&path).with_context(|| format!("reading {path}"))?;
            bytes += kibibytes(&text, "VmRSS:")? * 1024;
        }
        Ok(bytes)
    }

    /// The number of its open descriptors.
    ///
    /// # Errors
    /// Fails when there is no such process, or it is another user's.
    pub(crate) fn descriptors(&self) -> anyhow::Result<usize> {
        let mut count = 0;
        for id in self.family()? {
            let path = format!("/proc/{id}/fd");
            count += fs::read_dir(&path).with_context(|| format!("reading {path}"))?.count();
        }
        Ok(count)
    }

    /// The ids of the process and its descendants.
    fn family(&self) -> anyhow::Result<Vec<u32>> {
        if !fs::exists(format!("/proc/{}", self.id))? {
            bail!("the server's process has ended");
        }
        if self.alone {
            return Ok(vec![self.id]);
        }
        let mut parents = Vec::new();
        for entry in fs::read_dir("/proc")? {
            let Some(id) = entry?.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
            // A process that ended meanwhile has no parent to be found.
            if let Ok(stat) = fs::read_to_string(format!("/proc/{id}/stat"))
                && let Some(parent) = field(&stat, 4).and_then(|parent| u32::try_from(parent).ok())
            {
                parents.push((id, parent));
            }
        }
        let mut family = vec![self.id];
        let mut next = 0;
        while let Some(&parent) = family.get(next) {
            family.extend(parents.iter().filter(|(_, of)| *of == parent).map(|(id, _)| *id));
            next += 1;
        }
        Ok(family)
    }
}

/// The source of CPU times on this system.
pub fn cpu_source() -> &'static str {
    if fs::exists("/proc/self/schedstat").unwrap_or(false) {
        "/proc/PID/task/*/schedstat (ns)"
    } else {
        "/proc/PID/stat (10 ms)"
    }
}

fn cpu(id: u32) -> anyhow::Result<Duration> {
    let path = format!("/proc/{id}/stat");
    let stat = fs::read_to_string(&path).with_context(|| format!("reading {path}"))?;
    let ticks = field(&stat, 14).context("no utime")? + field(&stat, 15).context("no stime")?;
    let coarse = Duration::from_millis(ticks * 1000 / TICKS);
    // Threads that have ended are missing from the sum; then the ticks are more accurate.
    Ok(schedstat(id).map_or(coarse, |fine| if fine + Duration::from_millis(20) < coarse { coarse } else { fine }))
}

/// The CPU time of all threads that are alive.
fn schedstat(id: u32) -> Option<Duration> {
    let mut nanos = 0;
    for task in fs::read_dir(format!("/proc/{id}/task")).ok()? {
        let text = fs::read_to_string(task.ok()?.path().join("schedstat")).ok()?;
        nanos += text.split(' ').next()?.parse::<u64>().ok()?;
    }
    Some(Duration::from_nanos(nanos))
}

/// A field of `stat` by its number in proc(5). The second field is a name that may contain anything.
fn field(stat: &str, number: usize) -> Option<u64> {
    let (_, rest) = stat.rsplit_once(") ")?;
    rest.split(' ').nth(number - 3)?.parse().ok()
}

fn kibibytes(text: &str, name: &str) -> anyhow::Result<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name)).with_context(|| format!("no {name}"))?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_and_memory_of_this_process_are_seen() {
        let this = Process::this();
        let before = (this.cpu().unwrap(), this.memory().unwrap());
        let full = vec![1_u8; 64 << 20];
        let mut sum = 0_u64;
        let began = std::time::Instant::now();
        while sum == 0 || this.cpu().unwrap() < before.0 + Duration::from_millis(30) {
            sum += full.iter().map(|&byte| u64::from(byte)).sum::<u64>();
            assert!(began.elapsed() < Duration::from_secs(20), "work is not seen");
        }
        let grown = this.memory().unwrap().rss - before.1.rss;
        // Other tests in this process allocate and free memory meanwhile.
        assert!(grown > 48 << 20, "{grown}");
    }

    #[test]
    fn a_child_belongs_to_the_family() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let family = Process::new(std::process::id()).family().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(family.contains(&child.id()));
        assert!(Process::new(child.id()).cpu().is_err());
    }

    #[test]
    fn a_name_with_spaces_does_not_shift_the_fields() {
        assert_eq!(field("7 (a (b) c) S 3 7 7", 4), Some(3));
    }
}
