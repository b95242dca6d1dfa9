//! Messages on their way from the archive to one subscriber.

use std::task::{Context, Poll};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use super::archive::Fetched;
use crate::gap::GapReason;

/// Messages on their way from the archive to one subscriber.
pub(crate) struct Backfill {
    /// The reason of the gap, should the archive not have everything either.
    pub(crate) reason: GapReason,
    page: Page,
}

enum Page {
    Awaited(BoxFuture<'static, Fetched>),
    Ready(Fetched),
}

impl Backfill {
    pub(crate) fn new(reason: GapReason, fetching: BoxFuture<'static, Fetched>) -> Self {
        Self { reason, page: Page::Awaited(fetching) }
    }

    /// Is ready once the page is.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if let Page::Awaited(fetching) = &mut self.page {
            match fetching.poll_unpin(cx) {
                Poll::Ready(fetched) => self.page = Page::Ready(fetched),
                Poll::Pending => return Poll::Pending,
            }
        }
        Poll::Ready(())
    }

    /// The page, or the backfill again if the page is not ready.
    pub(crate) fn into_page(self) -> Result<Fetched, Self> {
        match self.page {
            Page::Ready(fetched) => Ok(fetched),
            Page::Awaited(_) => Err(self),
        }
    }
}
