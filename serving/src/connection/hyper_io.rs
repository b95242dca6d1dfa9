//! The client as hyper reads and writes it.
//!
//! hyper answers an invalid head on its own, with no body. That answer is recognised by its time: hyper writes it while
//! none of our answers is on its way. It is dropped, and ours takes its place.

use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};

use bytes::Buf;
use hyper::body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep_until};

use super::client::Client;
use super::reading_pace::{ReadingPace, Uses};
use super::stall::Stall;

/// The progress of the answers that hyper writes.
#[derive(Debug, Default)]
pub(super) struct WriteProgress {
    /// Answers of ours that hyper has not taken whole.
    answers: AtomicUsize,
    /// An answer of ours has begun since hyper last wrote everything.
    writes_ours: AtomicBool,
    /// The client does not take what hyper writes.
    write_pending: AtomicBool,
    /// A request has been answered, or is being answered.
    serves: AtomicBool,
    /// The body of the last request has not been read to its end.
    body_unread: AtomicBool,
    /// For the pace of HTTP/2.
    uses: Arc<Uses>,
}

/// An answer on its way from a handler to hyper.
pub(super) struct AnswerToken(Arc<WriteProgress>);

impl WriteProgress {
    pub(super) fn begin_answer(progress: &Arc<Self>) -> AnswerToken {
        progress.answers.fetch_add(1, Ordering::Relaxed);
        progress.writes_ours.store(true, Ordering::Relaxed);
        progress.serves.store(true, Ordering::Relaxed);
        AnswerToken(Arc::clone(progress))
    }

    /// The uses of what is read.
    pub(super) fn uses(&self) -> &Arc<Uses> {
        &self.uses
    }

    /// Notes that hyper has written everything.
    fn flushed(&self) {
        self.writes_ours.store(self.answers.load(Ordering::Relaxed) > 0, Ordering::Relaxed);
    }

    /// Returns whether bytes wait in hyper's buffer for the client to take them.
    pub(super) fn is_write_pending(&self) -> bool {
        self.write_pending.load(Ordering::Relaxed)
    }

    /// Returns whether hyper waits for the head of another request: everything is written, and nothing of the last request
    /// is to be read.
    pub(super) fn is_idle(&self) -> bool {
        let is_set = |flag: &AtomicBool| flag.load(Ordering::Relaxed);
        is_set(&self.serves) && !is_set(&self.writes_ours) && !is_set(&self.write_pending) && !is_set(&self.body_unread)
    }

    /// Returns whether the bytes that hyper writes now are its own answer to an invalid head.
    fn is_hypers_own(&self) -> bool {
        !self.writes_ours.load(Ordering::Relaxed)
    }
}

impl Drop for AnswerToken {
    fn drop(&mut self) {
        self.0.answers.fetch_sub(1, Ordering::Relaxed);
    }
}

pin_project! {
    /// The body of an answer, which holds the answer's token until hyper has taken all of it.
    pub(super) struct TrackedAnswer<B> {
        #[pin]
        body: B,
        token: AnswerToken,
    }
}

impl<B> TrackedAnswer<B> {
    pub(super) fn new(body: B, token: AnswerToken) -> Self {
        Self { body, token }
    }
}

impl<B: Body> Body for TrackedAnswer<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        self.project().body.poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

pin_project! {
    /// The body of a request, which notes when it has been read to its end.
    pub(super) struct TrackedBody<B> {
        #[pin]
        body: B,
        progress: Arc<WriteProgress>,
    }
}

impl<B: Body> TrackedBody<B> {
    pub(super) fn new(body: B, progress: Arc<WriteProgress>) -> Self {
        progress.body_unread.store(!body.is_end_stream(), Ordering::Relaxed);
        Self { body, progress }
    }
}

impl<B: Body> Body for TrackedBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let this = self.project();
        let frame = ready!(this.body.poll_frame(cx));
        if let Some(Ok(frame)) = &frame {
            this.progress.uses.note(frame.data_ref().map_or(0, Buf::remaining));
        }
        if frame.is_none() {
            this.progress.body_unread.store(false, Ordering::Relaxed);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The client, with the write time-out.
pub(super) struct Io {
    client: Client,
    progress: Arc<WriteProgress>,
    /// Runs from when the client began to take nothing, with the time of the next check.
    stalled: Option<(Stall, Pin<Box<Sleep>>)>,
    /// Absent where all that is read is a request.
    pace: Option<ReadingPace>,
}

impl Io {
    pub(super) fn new(client: Client, progress: Arc<WriteProgress>) -> Self {
        Self { client, progress, stalled: None, pace: None }
    }

    /// The client of HTTP/2, whose bytes need not be part of a request.
    pub(super) fn with_pace(client: Client, progress: Arc<WriteProgress>) -> Self {
        let pace = ReadingPace::new(Arc::clone(progress.uses()));
        Self { pace: Some(pace), ..Self::new(client, progress) }
    }

    pub(super) fn into_client(self) -> Client {
        self.client
    }

    /// Ends the wait of a write that made no progress for too long.
    fn poll_stalled(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let timeout = self.client.app().config.connections.write_timeout;
        let (stall, check) = self.stalled.get_or_insert_with(|| {
            let stall = Stall::begin();
            let check = sleep_until(stall.next_check(timeout));
            (stall, Box::pin(check))
        });
        loop {
            ready!(check.as_mut().poll(cx));
            if stall.is_over(self.client.transport().0, timeout) {
                break;
            }
            check.as_mut().reset(stall.next_check(timeout));
        }
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the client takes nothing")))
    }
}

impl AsyncRead for Io {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let (transport, input) = this.client.transport();
        if !input.is_empty() {
            input.copy_to(buf);
            return Poll::Ready(Ok(()));
        }
        let Some(pace) = &mut this.pace else { return Pin::new(transport).poll_read(cx, buf) };
        ready!(pace.poll_turn(cx));
        let before = buf.filled().len();
        let read = Pin::new(transport).poll_read(cx, buf);
        let bytes = buf.filled().len() - before;
        pace.count(read.is_ready().then_some(bytes));
        read
    }
}

impl AsyncWrite for Io {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(buf)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.progress.is_hypers_own() {
            // Dropped, for our own answer to take its place.
            return Poll::Ready(Ok(bufs.iter().map(|buf| buf.len()).sum()));
        }
        let written = self.client.transport().0.poll_write_parts(cx, bufs);
        self.progress.write_pending.store(written.is_pending(), Ordering::Relaxed);
        if written.is_pending() {
            return self.poll_stalled(cx);
        }
        self.stalled = None;
        written
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.progress.flushed();
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(self.client.transport().0).poll_shutdown(cx)
    }
}
