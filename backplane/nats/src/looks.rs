//! One look at the stream for many.

use tokio::sync::Mutex;
use tokio::time::Instant;

use super::stream::Seen;

/// What was seen last. There is one look at a time, and it counts for all who had come before it began.
#[derive(Default)]
pub(super) struct Looks {
    last: Mutex<Option<(Instant, Result<Seen, String>)>>,
}

impl Looks {
    /// The stream as it is after the call, however many ask for it at once.
    pub(super) async fn look<L>(&self, look: impl FnOnce() -> L) -> Result<Seen, String>
    where
        L: Future<Output = Result<Seen, String>>,
    {
        let came = Instant::now();
        let mut last = self.last.lock().await;
        if let Some((began, seen)) = &*last
            && *began > came
        {
            return seen.clone();
        }
        let began = Instant::now();
        let seen = look().await;
        *last = Some((began, seen.clone()));
        seen
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::time::Duration;

    use futures_util::future::join_all;
    use tokio::time::sleep;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn many_share_a_look_that_began_after_they_came() {
        let (looks, count) = (Looks::default(), Cell::new(0));
        let look = || async {
            count.set(count.get() + 1);
            sleep(Duration::from_millis(10)).await;
            Err(count.get().to_string())
        };
        let ask = async |after| {
            sleep(Duration::from_millis(after)).await;
            looks.look(look).await.err().unwrap()
        };
        // One begins at once, and may not know what those know who come later.
        let seen = join_all([0, 1, 2, 9].map(ask)).await;
        assert_eq!(seen, ["1", "2", "2", "2"]);
        assert_eq!(looks.look(look).await.err().unwrap(), "3");
    }
}
