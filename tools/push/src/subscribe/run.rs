//! The loop of connections.

use std::pin::pin;
use std::time::Duration;

use shared::cursor::Cursor;
use tokio::time::{Instant, sleep};

use super::args::Subscribe;
use super::received::Received;
use super::session::Session;
use super::state::State;
use crate::connection::{Method, Retry, Service, Trouble};
use crate::exit::{Exit, Outcome};
use crate::message::GapLine;
use crate::notice;
use crate::output::{self, Output};
use crate::signals::Signals;

/// A connection that lasted for so long was a good one, whatever came over it.
const GOOD: Duration = Duration::from_secs(10);

impl Subscribe {
    pub(crate) async fn run(self, signals: &Signals) -> Outcome {
        let candidates = self.candidates()?;
        let (state, cursor) = match &self.state {
            Some(file) => State::open(file).map(|(state, cursor)| (Some(state), cursor))?,
            None => (None, None),
        };
        let mut follower = Follower {
            cursor: cursor.unwrap_or_else(|| self.since.clone()),
            output: Output::new(self.json),
            state,
            shown: 0,
            retry: Retry::new(self.retry_for),
            args: self,
        };
        let outcome = tokio::select! {
            outcome = follower.follow(candidates) => outcome,
            ended = signals.came() => Err(ended),
            ended = output::closed() => Err(ended),
        };
        follower.finish(outcome)
    }

    /// Returns the methods that are tried, and the service of each.
    fn candidates(&self) -> Outcome<Vec<(Method, Service)>> {
        let methods = Method::ALL.into_iter().filter(|method| self.via.is_none_or(|via| via == *method));
        methods.map(|method| Ok((method, self.options.service(method)?))).collect()
    }
}

/// The number of messages that may come without a pause before they are handed to the system.
const BURST: u32 = 256;

/// A client that follows, over many connections.
struct Follower {
    args: Subscribe,
    /// The position after everything that was shown.
    cursor: String,
    output: Output,
    state: Option<State>,
    /// The number of messages that were shown.
    shown: u64,
    retry: Retry,
}

impl Follower {
    /// Follows until enough has come, or something ends it.
    async fn follow(&mut self, mut candidates: Vec<(Method, Service)>) -> Outcome {
        let mut was_connected = false;
        loop {
            let trouble = match self.open(&candidates).await {
                Ok((chosen, session, begin)) => {
                    // Another service may have another history, so the one that worked is stayed with.
                    candidates = vec![candidates.swap_remove(chosen)];
                    self.say_connected(&candidates[0], was_connected, &begin);
                    was_connected = true;
                    self.cursor = begin;
                    self.keep();
                    let began = Instant::now();
                    let (shown, outcome) = (self.shown, self.show(session).await);
                    match outcome {
                        Ok(()) => return Ok(()),
                        Err(trouble) => {
                            if self.shown > shown || began.elapsed() >= GOOD {
                                self.retry.reset();
                            }
                            trouble
                        }
                    }
                }
                Err(trouble) => trouble,
            };
            self.output.flush()?;
            if matches!(trouble, Trouble::Refused { .. } | Trouble::End(_)) {
                return Err(trouble.into_exit());
            }
            let Some(pause) = self.retry.pause(trouble.retry_after()) else {
                return Err(Exit::Failed(format!("given up: {trouble}")));
            };
            notice::trying_again(&trouble, pause);
            sleep(pause).await;
        }
    }

    /// Connects by the first method that gets through.
    async fn open(&self, candidates: &[(Method, Service)]) -> Result<(usize, Session, String), Trouble> {
        let (mut refused, mut cut) = (None, None);
        let mut reasons = Vec::new();
        for (index, (method, service)) in candidates.iter().enumerate() {
            match Session::open(*method, service, &self.args.topics, &self.cursor).await {
                Ok((session, begin)) => return Ok((index, session, begin)),
                Err(trouble) if holds_for_all(&trouble, self.args.options.is_one_service()) => return Err(trouble),
                Err(trouble) => {
                    reasons.push(format!("by {}: {trouble}", method.name()));
                    let first = if matches!(trouble, Trouble::Refused { .. }) { &mut refused } else { &mut cut };
                    first.get_or_insert(trouble);
                }
            }
        }
        // One that was cut may get through the next time.
        match cut.or(refused) {
            Some(trouble) if candidates.len() == 1 => Err(trouble),
            Some(Trouble::Refused { status, error, .. }) => {
                Err(Trouble::Refused { status, error, message: none_gets_through(&reasons) })
            }
            Some(Trouble::Busy { status, error, retry_after, .. }) => {
                Err(Trouble::Busy { status, error, message: none_gets_through(&reasons), retry_after })
            }
            _ => Err(Trouble::Cut(none_gets_through(&reasons))),
        }
    }

    /// Shows what comes until enough has come.
    async fn show(&mut self, mut session: Session) -> Result<(), Trouble> {
        let mut unwritten = 0;
        loop {
            let received = self.next(&mut session).await?;
            match received {
                Received::Message(message) => {
                    self.output.write(&message).map_err(Trouble::End)?;
                    self.shown += 1;
                    self.cursor = message.id;
                }
                Received::Gap(gap) => {
                    self.output.write(&GapLine { gap: &gap }).map_err(Trouble::End)?;
                    self.cursor = gap.cursor.clone();
                    if self.args.fail_on_gap {
                        return Err(Trouble::End(Exit::Gap(gap.describe())));
                    }
                    if self.output.form() == output::Form::Json {
                        notice::warning(&gap.describe());
                    }
                }
                Received::Position(cursor) => self.cursor = cursor,
                Received::Alive => {}
            }
            unwritten += 1;
            let enough = self.args.count.is_some_and(|count| self.shown >= count);
            if enough || unwritten >= BURST || !session.has_more() {
                unwritten = 0;
                self.output.flush().map_err(Trouble::End)?;
                self.keep();
            }
            if enough {
                session.close().await;
                return Ok(());
            }
        }
    }

    /// Waits for the next thing, and keeps the cursor meanwhile.
    async fn next(&mut self, session: &mut Session) -> Result<Received, Trouble> {
        let mut next = pin!(session.next());
        let Some(state) = &mut self.state else { return next.await };
        loop {
            tokio::select! {
                biased;
                () = state.due() => state.save().map_err(Trouble::End)?,
                received = &mut next => return received,
            }
        }
    }

    /// Takes the cursor into the file, once everything before it was written.
    fn keep(&mut self) {
        // `now` and `earliest` are no positions to come back to.
        if let Some(state) = self.state.as_mut().filter(|_| self.cursor.parse::<Cursor>().is_ok()) {
            state.reached(&self.cursor);
        }
    }

    fn say_connected(&self, (method, service): &(Method, Service), again: bool, begin: &str) {
        let how = if again { "connected again" } else { "connected" };
        notice::info(&format!("{how} to {} by {}, from {begin}", service.name(), method.name()));
    }

    /// Writes what was not written, and keeps the cursor.
    fn finish(mut self, outcome: Outcome) -> Outcome {
        // A message in the buffer may be cut off, and a cursor must not be ahead of what was written.
        let flushed = match outcome {
            Err(Exit::OutputClosed) => Err(Exit::OutputClosed),
            _ => self.output.flush(),
        };
        if flushed.is_ok() {
            self.keep();
        }
        if let Some(state) = &mut self.state {
            state.save()?;
        }
        outcome.and(flushed)
    }
}

fn none_gets_through(reasons: &[String]) -> String {
    format!("no method gets through: {}", reasons.join("; "))
}

/// Returns whether every other method would be answered the same. An answer without the service's own error is that of something in
/// between, which may let another method through; and where there is one service for each method, another one may have room.
fn holds_for_all(trouble: &Trouble, is_one_service: bool) -> bool {
    match trouble {
        Trouble::End(_) => true,
        Trouble::Busy { error, .. } => error.is_some() && is_one_service,
        Trouble::Refused { status, error, .. } => error.is_some() && [400, 401, 403].contains(&status.as_u16()),
        Trouble::Unreachable(_) | Trouble::Cut(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use reqwest::StatusCode;

    #[test]
    fn the_services_own_error_alone_holds_for_every_method() {
        let refused = |status, error: Option<&str>| Trouble::Refused {
            status,
            error: error.map(str::to_owned),
            message: String::new(),
        };
        for status in [StatusCode::BAD_REQUEST, StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN] {
            assert!(holds_for_all(&refused(status, Some("forbidden")), false), "{status}");
            assert!(!holds_for_all(&refused(status, None), true), "{status}");
        }
        assert!(!holds_for_all(&refused(StatusCode::NOT_FOUND, Some("not_found")), true));
        for (error, is_one_service, expected) in
            [(Some("full"), true, true), (Some("full"), false, false), (None, true, false), (None, false, false)]
        {
            let (status, error) = (StatusCode::SERVICE_UNAVAILABLE, error.map(str::to_owned));
            let busy = Trouble::Busy { status, error, message: String::new(), retry_after: None };
            assert_eq!(holds_for_all(&busy, is_one_service), expected, "{busy:?}");
        }
    }
}
