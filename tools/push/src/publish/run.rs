//! The command.

use std::time::Duration;

use reqwest::StatusCode;
use tokio::sync::mpsc::Receiver;
use tokio::time::Instant;

use super::args::Publish;
use super::batch::{Batch, Draft};
use super::lines;
use super::published::{Published, Receipt};
use super::sender::{Sender, Unconfirmed};
use crate::connection::Trouble;
use crate::exit::{Exit, Outcome};
use crate::notice::{self, Progress};
use crate::output::Output;
use crate::signals::Signals;

/// The time between two looks at the progress.
const PROGRESS: Duration = Duration::from_millis(100);

impl Publish {
    pub(crate) async fn run(self, signals: &Signals) -> Outcome {
        let sender = Sender::new(&self.options, &self.topic, self.retry_for).await?;
        let mut output = Output::new(self.json);
        if self.text == "-" {
            let mut stream = LineStream::new(self, sender);
            let outcome = tokio::select! {
                outcome = stream.publish_all() => outcome,
                signal = signals.came() => Err(signal),
            };
            stream.progress.clear();
            if let Err(Exit::Signal(_)) = outcome {
                notice::warning(&stream.describe_interruption());
            }
            let written = output.write(&stream.published).and_then(|()| output.flush());
            return outcome.and(written);
        }
        let key = self.key.unwrap_or_else(random_key);
        let draft = Draft { text: self.text, event: self.event };
        let confirmed = sender.confirm::<Receipt>(&draft, &key).await;
        let receipt = confirmed.map_err(|Unconfirmed { trouble, in_doubt }| {
            let doubt = if in_doubt { "; it may have been published all the same" } else { "" };
            add(trouble.into_exit(), doubt)
        })?;
        output.write(&receipt)?;
        output.flush()
    }
}

/// The lines of standard input, on their way.
struct LineStream {
    sender: Sender,
    event: Option<String>,
    key: String,
    /// Each array is filled up before it is sent.
    fills: bool,
    lines: Receiver<Result<String, String>>,
    /// The number of lines that were read.
    read: u64,
    /// The reason why no further line can be read.
    unreadable: Option<String>,
    /// The most messages in an array that the service was found to take.
    most: usize,
    published: Published,
    progress: Progress,
    shown: Instant,
}

impl LineStream {
    fn new(args: Publish, sender: Sender) -> Self {
        let (fills, key) = (args.key.is_some(), args.key.unwrap_or_else(random_key));
        let (event, lines) = (args.event, lines::read());
        Self {
            sender,
            event,
            key,
            fills,
            lines,
            read: 0,
            unreadable: None,
            most: usize::MAX,
            published: Published::default(),
            progress: Progress::new(),
            shown: Instant::now(),
        }
    }

    async fn publish_all(&mut self) -> Outcome {
        while let Some(batch) = self.next_batch().await {
            self.publish(batch).await?;
        }
        match self.unreadable.take() {
            Some(reason) => {
                let line = self.read + 1;
                Err(Exit::Failed(format!("line {line} was not published, nor what follows it: {reason}")))
            }
            None => Ok(()),
        }
    }

    /// Returns the lines that are there, or else waits for one.
    async fn next_batch(&mut self) -> Option<Batch> {
        let mut batch = Batch::new(self.read + 1);
        while self.unreadable.is_none() && !batch.is_full(self.most) {
            let line = match self.lines.try_recv() {
                Ok(line) => line,
                Err(_) if !self.fills && !batch.drafts.is_empty() => break,
                Err(_) => match self.lines.recv().await {
                    Some(line) => line,
                    None => break,
                },
            };
            match line {
                Ok(text) => {
                    self.read += 1;
                    batch.push(Draft { text, event: self.event.clone() });
                }
                Err(reason) => self.unreadable = Some(reason),
            }
        }
        Some(batch).filter(|batch| !batch.drafts.is_empty())
    }

    /// Sends a batch, in pieces if it is larger than the service takes.
    async fn publish(&mut self, batch: Batch) -> Outcome {
        let mut pieces = vec![batch];
        while let Some(piece) = pieces.pop() {
            match self.sender.confirm::<Vec<Receipt>>(&piece.drafts, &piece.key(&self.key)).await {
                Ok(receipts) => self.published.add(receipts),
                Err(Unconfirmed {
                    trouble: Trouble::Refused { status: StatusCode::PAYLOAD_TOO_LARGE, .. },
                    // Halves have keys of their own, under which a service does not know what it has stored.
                    in_doubt: false,
                }) if piece.drafts.len() > 1 => {
                    let halves = piece.halves();
                    self.most = self.most.min(halves[1].drafts.len());
                    pieces.extend(halves.into_iter().rev());
                }
                Err(unconfirmed) => return Err(self.describe(&piece, unconfirmed)),
            }
            if self.shown.elapsed() >= PROGRESS {
                self.shown = Instant::now();
                self.progress.show(&format!("{} messages published", self.published.published));
            }
        }
        Ok(())
    }

    fn describe_interruption(&self) -> String {
        let (published, read) = (self.published.published, self.read);
        match read - published {
            0 => format!("interrupted: the {published} lines that were read are published"),
            _ => format!(
                "interrupted: {published} lines are published, and those up to line {read} may be published or not"
            ),
        }
    }

    fn describe(&self, batch: &Batch, Unconfirmed { trouble, in_doubt }: Unconfirmed) -> Exit {
        let (first, last) = (batch.first, batch.last());
        let before = match first {
            1 => "no line was confirmed".to_owned(),
            _ => format!("lines 1 to {} are published", first - 1),
        };
        let these = if first == last { format!("line {first}") } else { format!("lines {first} to {last}") };
        let fate = if in_doubt { "may be published or not" } else { "and what follows are not" };
        add(trouble.into_exit(), &format!("; {before}, {these} {fate}"))
    }
}

/// Adds to the message of an exit.
fn add(exit: Exit, text: &str) -> Exit {
    match exit {
        Exit::Failed(message) => Exit::Failed(message + text),
        Exit::Refused(message) => Exit::Refused(message + text),
        exit => exit,
    }
}

/// Returns a key that no other command has.
fn random_key() -> String {
    format!("push-{:032x}", fastrand::u128(..))
}
