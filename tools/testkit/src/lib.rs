//! What the tests of several crates need: a service on a port of its own, in this process or as one of its own, and a
//! client that speaks to it byte by byte.
//!
//! `nats_process` is what services share a history by.
//!
//! Nothing here depends on the services; a test hands in their `run`, or their program.

mod nats_process;
mod process;
mod publish;
mod raw;
mod server;
mod service_process;

pub use nats_process::NatsProcess;
pub use nix::sys::signal::Signal;
pub use process::{Exit, Process};
pub use publish::{publish, publish_each};
pub use raw::{RawClient, get};
pub use server::{Server, Stop};
pub use service_process::{ServiceProgram, signal};

use std::future::Future;
use std::time::Duration;

/// How long anything may take before a test gives up on it. It is never waited for in full where things go well.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Awaits something that has to come.
///
/// # Panics
/// When it does not come within [`PATIENCE`].
#[track_caller]
pub fn soon<F: Future>(future: F) -> impl Future<Output = F::Output> {
    let caller = std::panic::Location::caller();
    async move {
        match tokio::time::timeout(PATIENCE, future).await {
            Ok(output) => output,
            Err(_) => panic!("waited {PATIENCE:?} in vain at {caller}"),
        }
    }
}
