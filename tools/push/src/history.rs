//! `push history`: the messages that are held.

use std::time::Duration;

use clap::Args;
use shared::duration::duration;
use tokio::time::sleep;

use crate::connection::{ANSWER, Options, Retry, Service, Trouble};
use crate::exit::{Exit, Outcome};
use crate::message::{GapLine, Page};
use crate::notice;
use crate::output::{Form, Output};
use crate::subscribe::position;

/// The most messages that a page may have.
const PAGE: u64 = 1000;

/// Reads the messages that are held, page by page, and ends
///
/// On a terminal, messages are shown in words; in a pipe, or with --json, each is a line of JSON, and so is a gap.
#[derive(Debug, Args)]
pub(crate) struct History {
    /// Topics or patterns, such as orders.new, orders.* or 'orders.>'
    #[arg(value_name = "TOPIC", default_value = "main")]
    topics: Vec<String>,
    /// The position to begin at: a cursor or the id of a message, or `earliest`
    #[arg(long, value_name = "CURSOR", default_value = "earliest", value_parser = position)]
    since: String,
    /// End after so many messages
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    limit: Option<u64>,
    /// End at the first gap, with exit code 4
    #[arg(long)]
    fail_on_gap: bool,
    /// Give up when the service could not be reached for so long
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = duration)]
    retry_for: Duration,
    /// Write JSON, also on a terminal
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    options: Options,
}

impl History {
    pub(crate) async fn run(self) -> Outcome {
        let mut retry = Retry::new(Some(self.retry_for));
        let service = loop {
            match self.options.any_service().await? {
                Ok(service) => break service,
                Err(trouble) => pause(&mut retry, trouble).await?,
            }
        };
        let mut output = Output::new(self.json);
        let (mut since, mut left) = (self.since.clone(), self.limit.unwrap_or(u64::MAX));
        loop {
            let page = match self.page(&service, &since, left.min(PAGE), ANSWER).await {
                Ok(page) => page,
                Err(trouble) => {
                    pause(&mut retry, trouble).await?;
                    continue;
                }
            };
            retry.reset();
            if let Some(gap) = &page.gap {
                output.write(&GapLine { gap })?;
                if self.fail_on_gap {
                    output.flush()?;
                    return Err(Exit::Gap(gap.describe()));
                }
                if output.form() == Form::Json {
                    notice::warning(&gap.describe());
                }
            }
            left -= page.messages.len() as u64;
            for message in &page.messages {
                output.write(message)?;
            }
            if !page.more || left == 0 {
                return output.flush();
            }
            since = page.cursor;
        }
    }

    async fn page(&self, service: &Service, since: &str, limit: u64, patience: Duration) -> Result<Page, Trouble> {
        let limit = limit.to_string();
        let topics = self.topics.iter().map(|topic| ("topic", topic.as_str()));
        let query = topics.chain([("since", since), ("limit", limit.as_str())]);
        service.json_within(patience, service.get(service.url("/messages", query))).await
    }
}

/// Waits for the next attempt, if there is to be one.
async fn pause(retry: &mut Retry, trouble: Trouble) -> Outcome {
    let pause = match trouble {
        Trouble::Refused { .. } | Trouble::End(_) => None,
        _ => retry.pause(trouble.retry_after()),
    };
    let Some(pause) = pause else { return Err(trouble.into_exit()) };
    notice::trying_again(&trouble, pause);
    sleep(pause).await;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;
    use tokio::net::TcpListener;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        history: History,
    }

    #[tokio::test]
    async fn a_page_is_not_waited_for_for_ever() {
        // The system takes connections, and nobody answers.
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let history = Line::parse_from(["push", "--url", &url]).history;
        let service = history.options.any_service().await.unwrap().unwrap();
        let page = testkit::soon(history.page(&service, "earliest", 1, Duration::from_millis(50))).await;
        assert!(matches!(&page, Err(Trouble::Cut(reason)) if reason.contains("does not answer")), "{page:?}");
    }
}
