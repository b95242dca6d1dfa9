//! Many recordings, and many crashes of each.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, ensure};
use clap::Args;
use fastrand::Rng;
use tempfile::TempDir;

use crate::disk::Disk;
use crate::record::{self, Step, Told};
use crate::verdict;

/// The crashes that are played through of one recording.
const CRASHES_PER_RECORDING: u64 = 50;

/// The recordings that go on where a crash of the one before has left the file, until one begins anew.
const CHAIN: u64 = 3;

/// Records programs that publish, and plays through what a crash of the machine at any moment leaves of their history
#[derive(Debug, Args)]
pub struct Crash {
    /// The number of crashes
    #[arg(long, default_value_t = 50)]
    seeds: u64,
    /// The seed of the first recording
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Processes that publish at the same time
    #[arg(long, default_value_t = 2)]
    processes: u64,
    /// Publications of each of the 4 publishers of a process
    #[arg(long, default_value_t = 60)]
    publications: usize,
}

/// The findings of a run.
#[derive(Debug, Default)]
struct Totals {
    crashes: u64,
    told: u64,
    found: u64,
    failed: u64,
}

/// A history as a recording begins with it.
struct Beginning {
    directory: TempDir,
    told: Vec<Told>,
}

impl Crash {
    /// Plays crashes through, and prints each that loses something. Returns whether none does.
    ///
    /// # Errors
    /// Fails when it cannot record.
    pub async fn run(self) -> anyhow::Result<bool> {
        let tools = TempDir::new()?;
        let recorder = build_recorder(tools.path())?;
        let mut totals = Totals::default();
        let mut beginning = Beginning { directory: TempDir::new()?, told: Vec::new() };
        for recording in 0..self.seeds.div_ceil(CRASHES_PER_RECORDING) {
            if recording % CHAIN == 0 {
                beginning = Beginning { directory: TempDir::new()?, told: Vec::new() };
            }
            let crashes = CRASHES_PER_RECORDING.min(self.seeds - totals.crashes);
            beginning =
                self.record_and_crash(&recorder, self.seed + recording, crashes, beginning, &mut totals).await?;
        }
        let Totals { crashes, told, found, failed } = totals;
        println!(
            "{crashes} crashes: {told} messages told before them, {found} found after them; {failed} crashes failed"
        );
        Ok(failed == 0)
    }

    /// Records, and crashes at moments of the record. Returns one of the histories that are left.
    async fn record_and_crash(
        &self,
        recorder: &Path,
        seed: u64,
        crashes: u64,
        beginning: Beginning,
        totals: &mut Totals,
    ) -> anyhow::Result<Beginning> {
        let Beginning { directory, mut told } = beginning;
        let mut disk = Disk::with_files(directory.path())?;
        let folder = TempDir::new()?;
        let path = folder.path().join("record");
        self.record(recorder, seed, directory.path(), &path)?;
        let record = fs::read(&path).context("reading the record")?;
        let steps = record::steps(&record)?;
        let mut dice = Rng::with_seed(seed);
        let mut moments: Vec<usize> = (0..crashes).map(|_| dice.usize(..=steps.len())).collect();
        moments.sort_unstable();
        let mut moments = moments.into_iter().peekable();
        let mut left = None;
        for step in 0..=steps.len() {
            while moments.next_if_eq(&step).is_some() {
                let after = TempDir::new()?;
                disk.crash(&mut dice, after.path())?;
                let kept = TempDir::new()?;
                copy(after.path(), kept.path())?;
                totals.crashes += 1;
                totals.told += told.len() as u64;
                match verdict::judge(after.path(), &told).await {
                    Ok(found) => totals.found += found as u64,
                    Err(error) => {
                        totals.failed += 1;
                        let kept = kept.keep();
                        println!("seed {seed}, step {step} of {}: {error:#}; see {}", steps.len(), kept.display());
                        continue;
                    }
                }
                left = Some(Beginning { directory: kept, told: told.clone() });
            }
            if let Some(step) = steps.get(step) {
                match *step {
                    Step::Noted(data) => told.extend(serde_json::from_slice::<Vec<Told>>(data)?),
                    step => disk.take(step),
                }
            }
        }
        // Of the last crash, so that the chain grows.
        Ok(left.unwrap_or(Beginning { directory: TempDir::new()?, told: Vec::new() }))
    }

    /// Has programs publish to the history of a directory, and records what they do to its files.
    fn record(&self, recorder: &Path, seed: u64, directory: &Path, record: &Path) -> anyhow::Result<()> {
        let program = std::env::current_exe().context("the path of this program")?;
        let mut workers = Vec::new();
        for process in 0..self.processes {
            let mut command = Command::new(&program);
            command.arg("work").arg("--data").arg(directory).arg("--record").arg(record);
            command.args(["--seed", &(seed * self.processes + process).to_string()]);
            command.args(["--publications", &self.publications.to_string(), "--publishers", "4"]);
            command.env("LD_PRELOAD", recorder).env("RECORD_DIR", directory).env("RECORD_TO", record);
            workers.push(command.stdin(Stdio::null()).spawn().context("starting a program to record")?);
        }
        for mut worker in workers {
            ensure!(worker.wait()?.success(), "a program that was recorded has failed");
        }
        Ok(())
    }
}

/// Compiles the recorder into a folder.
fn build_recorder(folder: &Path) -> anyhow::Result<PathBuf> {
    let (source, library) = (folder.join("recorder.c"), folder.join("recorder.so"));
    fs::write(&source, include_str!("../recorder.c"))?;
    let compiler = std::env::var_os("CC").unwrap_or("cc".into());
    let mut command = Command::new(&compiler);
    command
        .args(["-O1", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-o"])
        .arg(&library)
        .arg(&source)
        .arg("-ldl");
    let status = command.status().with_context(|| format!("starting the C compiler {}", compiler.display()))?;
    ensure!(status.success(), "the recorder could not be compiled");
    Ok(library)
}

fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        fs::copy(entry.path(), to.join(entry.file_name()))?;
    }
    Ok(())
}
