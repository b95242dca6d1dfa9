//! Handshakes of TLS.

use std::sync::Arc;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

use super::labels::{self, Label};

/// The counters of handshakes, by [`HandshakeResult`].
#[derive(Debug, Default)]
pub(crate) struct Handshakes([Counter; HandshakeResult::ALL.len()]);

/// The result of a handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HandshakeResult {
    /// Both sides know each other.
    Completed,
    /// The client sent no handshake that is taken: another version, a certificate that it does not trust, or nonsense.
    Failed,
    /// The client has sent a request in the clear.
    PlainText,
    /// The connection has ended before.
    Abandoned,
}

/// A handshake under way, which counts as abandoned unless it has another result before this is dropped.
#[derive(Debug)]
pub(crate) struct Handshake(Option<Arc<Handshakes>>);

impl HandshakeResult {
    /// All of them, in their order.
    const ALL: [Self; 4] = [Self::Completed, Self::Failed, Self::PlainText, Self::Abandoned];

    fn label(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::PlainText => "plain_text",
            Self::Abandoned => "abandoned",
        }
    }
}

impl Handshakes {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let by_result = Family::<Label, Counter>::default();
        registry.register("tls_handshakes", "Handshakes of TLS that have ended, by the result", by_result.clone());
        Self(HandshakeResult::ALL.map(|result| by_result.get_or_create_owned(&labels::result(result.label()))))
    }
}

impl Handshake {
    pub(crate) fn begin(counters: &Arc<Handshakes>) -> Self {
        Self(Some(Arc::clone(counters)))
    }

    /// Counts it under a result, unless it has one already.
    pub(crate) fn end(&mut self, result: HandshakeResult) {
        if let Some(Handshakes(counters)) = self.0.take().as_deref() {
            counters[result as usize].inc();
        }
    }
}

impl Drop for Handshake {
    fn drop(&mut self) {
        self.end(HandshakeResult::Abandoned);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handshake_has_one_result() {
        let counters = Arc::new(Handshakes::default());
        for (index, result) in HandshakeResult::ALL.into_iter().enumerate() {
            assert_eq!(result as usize, index);
            let mut handshake = Handshake::begin(&counters);
            handshake.end(result);
            handshake.end(HandshakeResult::Failed);
        }
        drop(Handshake::begin(&counters));
        assert_eq!(counters.0.each_ref().map(Counter::get), [1, 1, 1, 2]);
    }
}
