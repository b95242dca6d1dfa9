//! Traces of messages.

use crate::helpers::LongPolling;

testkit::trace_behaviours!(LongPolling);
