//! What a message went through.

use crate::helpers::LongPolling;

testkit::trace_behaviours!(LongPolling);
