//! Bytes on their way to a client.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, Bytes};
use smallvec::SmallVec;
use tokio::io::AsyncWrite;
use tokio::time::Instant;

use super::stall::Stall;
use super::transport::Transport;

/// The most parts that one system call takes; Linux allows 1,024.
const PARTS_AT_ONCE: usize = 64;

/// The bytes that a client has not taken yet: mostly none, for which nothing is allocated.
#[derive(Debug, Default)]
pub(super) struct Output(Option<Box<Unwritten>>);

#[derive(Debug)]
struct Unwritten {
    /// The unwritten parts in order; the first may be partly written.
    parts: VecDeque<Bytes>,
    stall: Stall,
    /// The time at which the newest message among them was appended.
    appended: Option<Instant>,
}

impl Output {
    /// Returns whether everything was taken.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// The stall of a client that was to take something.
    pub(super) fn stall(&self) -> Option<&Stall> {
        self.0.as_ref().map(|unwritten| &unwritten.stall)
    }

    /// Returns whether the client has taken nothing for the write time-out.
    pub(super) fn is_stalled(&mut self, transport: &Transport, timeout: Duration) -> bool {
        self.0.as_mut().is_some_and(|unwritten| unwritten.stall.is_over(transport, timeout))
    }

    /// Writes bytes. Those that are not taken at once are copied.
    pub(super) fn write(
        &mut self,
        transport: &mut Transport,
        cx: &mut Context<'_>,
        mut bytes: &[u8],
    ) -> io::Result<()> {
        while self.is_empty() && !bytes.is_empty() {
            match transport.poll_write_parts(cx, &[IoSlice::new(bytes)]) {
                Poll::Ready(Ok(0)) => return Err(io::ErrorKind::WriteZero.into()),
                Poll::Ready(written) => bytes = &bytes[written?..],
                Poll::Pending => break,
            }
        }
        if !bytes.is_empty() {
            self.push([Bytes::copy_from_slice(bytes)]);
        }
        Ok(())
    }

    /// Writes parts, which follow each other. Those that are not taken at once are kept as they are.
    pub(super) fn write_shared(
        &mut self,
        transport: &mut Transport,
        cx: &mut Context<'_>,
        parts: impl IntoIterator<Item = Bytes>,
    ) -> io::Result<()> {
        let mut parts: SmallVec<[Bytes; 4]> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        let mut done = 0;
        while self.is_empty() && done < parts.len() {
            match poll_write(transport, cx, &mut parts[done..]) {
                Poll::Ready(count) => done += count?,
                Poll::Pending => break,
            }
        }
        if done < parts.len() {
            self.push(parts.drain(done..));
        }
        Ok(())
    }

    /// Waits until everything was taken.
    pub(super) fn poll_written(&mut self, transport: &mut Transport, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Some(unwritten) = &mut self.0 else { return Poll::Ready(Ok(())) };
        while !unwritten.parts.is_empty() {
            let done = ready!(poll_write(transport, cx, unwritten.parts.make_contiguous()))?;
            unwritten.parts.drain(..done);
            unwritten.stall = Stall::begin();
        }
        ready!(Pin::new(transport).poll_flush(cx))?;
        self.0 = None;
        Poll::Ready(Ok(()))
    }

    /// Notes the time at which the newest of the messages was appended that wait.
    pub(super) fn appended_at(&mut self, appended: Instant) {
        if let Some(unwritten) = &mut self.0 {
            unwritten.appended = Some(appended);
        }
    }

    /// The time at which the newest of the messages was appended that wait.
    pub(super) fn appended(&self) -> Option<Instant> {
        self.0.as_ref()?.appended
    }

    /// Begins to wait until the client takes what the transport itself has written.
    pub(super) fn await_transport(&mut self) {
        self.push([]);
    }

    fn push(&mut self, parts: impl IntoIterator<Item = Bytes>) {
        let new = || Box::new(Unwritten { parts: VecDeque::new(), stall: Stall::begin(), appended: None });
        self.0.get_or_insert_with(new).parts.extend(parts);
    }
}

/// Writes from the beginning of the parts, cuts off what was written, and returns the number of parts that are done.
fn poll_write(transport: &mut Transport, cx: &mut Context<'_>, parts: &mut [Bytes]) -> Poll<io::Result<usize>> {
    let slices: SmallVec<[IoSlice<'_>; 4]> = parts.iter().take(PARTS_AT_ONCE).map(|part| IoSlice::new(part)).collect();
    let mut written = ready!(transport.poll_write_parts(cx, &slices))?;
    if written == 0 {
        return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
    }
    drop(slices);
    let mut done = 0;
    while written > 0 {
        let count = parts[done].len().min(written);
        parts[done].advance(count);
        written -= count;
        if parts[done].is_empty() {
            done += 1;
        }
    }
    Poll::Ready(Ok(done))
}

#[cfg(test)]
impl Output {
    /// The parts that were not taken.
    pub(super) fn unwritten(&self) -> Vec<Bytes> {
        self.0.iter().flat_map(|unwritten| unwritten.parts.iter().cloned()).collect()
    }
}
