//! Traces of messages.

use crate::helpers::Sse;

testkit::trace_behaviours!(Sse);
