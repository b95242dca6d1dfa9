//! The program that is recorded: it publishes and follows, and notes what it has told whom.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use anyhow::Context;
use clap::Args;
use fastrand::Rng;

use crate::history::{self, OpenHistory};
use crate::record::Notes;

const TOPICS: [&str; 4] = ["orders.new", "orders.paid", "stock", "a.b.c.d"];

/// Publishes and follows
#[derive(Debug, Args)]
pub struct Work {
    /// The directory of the history
    #[arg(long)]
    data: PathBuf,
    /// The record, to which notes are added
    #[arg(long)]
    record: PathBuf,
    #[arg(long)]
    seed: u64,
    /// Publications of each publisher
    #[arg(long)]
    publications: usize,
    #[arg(long)]
    publishers: usize,
}

impl Work {
    /// Publishes as much as it should, and ends.
    ///
    /// # Errors
    /// Fails when anything does.
    pub async fn run(self) -> anyhow::Result<()> {
        let notes = Arc::new(Mutex::new(Notes::open(&self.record).context("the record")?));
        let history = Arc::new(OpenHistory::open(&self.data).await?);
        let mut subscriber = history.follow()?;
        let following = tokio::spawn({
            let notes = Arc::clone(&notes);
            async move {
                loop {
                    let told = history::next(&mut subscriber).await?;
                    notes.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).add(&told)?;
                }
                #[allow(unreachable_code)]
                anyhow::Ok(())
            }
        });
        let mut publishers = Vec::new();
        for publisher in 0..self.publishers {
            let (history, notes, publications) = (Arc::clone(&history), Arc::clone(&notes), self.publications);
            let mut dice = Rng::with_seed(self.seed.wrapping_mul(1009).wrapping_add(publisher as u64));
            publishers.push(tokio::spawn(async move {
                for _ in 0..publications {
                    let texts = (0..dice.usize(1..4)).map(|_| text(&mut dice)).collect();
                    let told = history.publish(TOPICS[dice.usize(..TOPICS.len())], texts).await?;
                    notes.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).add(&told)?;
                }
                anyhow::Ok(())
            }));
        }
        for publisher in publishers {
            publisher.await??;
        }
        following.abort();
        Ok(())
    }
}

/// A text that no other message has, now and then longer than a page.
fn text(dice: &mut Rng) -> String {
    let length = if dice.u8(..) < 24 { dice.usize(4000..12_000) } else { dice.usize(..300) };
    format!("{:016x}{}", dice.u64(..), "x".repeat(length))
}
