//! The history after a run, beside what was confirmed.

use std::collections::HashSet;
use std::net::SocketAddr;

use anyhow::Context;
use serde::{Deserialize, Serialize};

use super::events::number;
use super::ledger::{Cursor, Ledger};
use crate::history::History;

/// The histories that replicas have after a run, summed over replicas.
#[derive(Debug, Default, Clone, Copy, Serialize)]
pub struct Stored {
    /// Messages of the run.
    pub messages: u64,
    /// Confirmed messages that are not there.
    pub missing: u64,
    /// Messages that are there again.
    pub repeated: u64,
    /// Messages under another cursor than their publisher's answer has, or which no answer has.
    pub misplaced: u64,
}

/// A page of the history.
#[derive(Deserialize)]
struct Page {
    messages: Vec<Message>,
}

#[derive(Deserialize)]
struct Message {
    id: String,
    text: String,
}

impl Stored {
    /// Returns whether the histories hold everything that was confirmed, once.
    pub fn is_clean(&self) -> bool {
        self.missing == 0 && self.repeated == 0 && self.misplaced == 0 && self.messages > 0
    }

    /// Reads the topics from a replica, and adds what it has.
    pub(super) async fn add(
        &mut self,
        history: &History,
        address: SocketAddr,
        topics: &[String],
        run: u32,
        ledger: &Ledger,
    ) -> anyhow::Result<()> {
        let mut seen = HashSet::new();
        for topic in topics {
            let page = |body: &[u8]| {
                let page: Page = serde_json::from_slice(body).context("a page of the history")?;
                for message in &page.messages {
                    self.message(message, run, ledger, &mut seen);
                }
                Ok(!page.messages.is_empty())
            };
            history.read(address, topic, page).await?;
        }
        let confirmed = ledger.entries().iter();
        self.missing += confirmed.filter(|entry| !seen.contains(&entry.number)).count() as u64;
        Ok(())
    }

    fn message(&mut self, message: &Message, run: u32, ledger: &Ledger, seen: &mut HashSet<u64>) {
        self.messages += 1;
        let number = number(run, &message.text);
        let confirmed = number.and_then(|number| Some(&ledger.entries()[ledger.index_of(number)?]));
        let Some(entry) = confirmed.filter(|entry| entry.cursor == Cursor::parse(&message.id)) else {
            self.misplaced += 1;
            return;
        };
        self.repeated += u64::from(!seen.insert(entry.number));
    }
}
