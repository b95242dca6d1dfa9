//! The first read of a stream: from the stored messages to a history.

use std::time::Duration;

use async_nats::jetstream::Context;
use tokio::time::timeout;

use super::consumer::Consumer;
use super::follow::{Follower, Interrupted};
use super::intake::{Intake, Known, place};
use super::losses::FirstRead;
use super::stream::Seen;
use shared::hub::Appender;

/// How long nothing may come before the stream is looked at: what was still to come may have been given up.
const QUIET: Duration = Duration::from_secs(1);

/// Reads what the stream holds. What may be missing is lost, by the rules of `losses`.
pub(super) async fn fill(
    follower: &mut Follower,
    jetstream: &Context,
    mut appender: Appender,
    seen: &Seen,
) -> Result<(Known, Consumer), Interrupted> {
    let begin = seen.first.saturating_sub(1);
    appender.skip_to(begin);
    let known = Known { appender, position: begin, mark: None };
    let (messages, seen) = follower.consume(jetstream, begin, seen).await?;
    let mut filling = Filling { follower, jetstream, known, messages, first_read: FirstRead::default() };
    filling.read_to(&seen, false).await?;
    // Up to here everything has been read that is still there; now to where the stream ends at this moment.
    let seen = look(filling.follower, jetstream, &seen).await?;
    filling.read_to(&seen, true).await?;

    let Filling { mut known, messages, first_read, .. } = filling;
    first_read.finish(&mut known.appender, &seen);
    Ok((known, messages))
}

struct Filling<'a> {
    follower: &'a mut Follower,
    jetstream: &'a Context,
    known: Known,
    messages: Consumer,
    first_read: FirstRead,
}

impl Filling<'_> {
    /// Reads to where the stream ended when it was `seen`. On the last stretch, what is missing is taken for lost of
    /// every topic.
    async fn read_to(&mut self, seen: &Seen, last_stretch: bool) -> Result<(), Interrupted> {
        while self.known.position < seen.last {
            self.report(seen);
            let Ok(next) = timeout(QUIET, self.messages.next()).await else {
                let now = look(self.follower, self.jetstream, seen).await?;
                if now.first > self.known.position + 1 {
                    self.known.position = now.first - 1;
                    drop(self.known.appender.lost_through(now.first - 1));
                }
                continue;
            };
            let mut intake = Intake::new(&mut self.known, self.follower.foreign());
            let mut next = Some(next);
            while let Some(message) = next.take() {
                let Some(message) = self.messages.trusted(message)? else { break };
                let Some((sequence, nanos)) = place(&message) else { break };
                if last_stretch {
                    intake.lose_before(sequence);
                }
                if intake.take_next(&message, sequence, nanos) {
                    self.first_read.saw(&message.subject, sequence);
                }
                if intake.room() {
                    next = futures_util::FutureExt::now_or_never(self.messages.next());
                }
            }
            // Nobody follows this history yet.
            drop(intake.finish());
        }
        Ok(())
    }

    fn report(&self, seen: &Seen) {
        let (done, all) =
            (self.known.position + 1 - seen.first.min(self.known.position + 1), seen.last + 1 - seen.first);
        self.follower.parts().set_trouble(format!("filling the history: {done} of {all}"));
    }
}

/// The stream as it is now, if it is still the one that it was before.
async fn look(follower: &Follower, jetstream: &Context, before: &Seen) -> Result<Seen, Interrupted> {
    let seen = follower.parts().spec.look(jetstream).await?;
    if seen.epoch() == before.epoch() { Ok(seen) } else { Err(Interrupted::Again) }
}
