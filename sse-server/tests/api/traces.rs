//! What a message went through.

use crate::helpers::Sse;

testkit::trace_behaviours!(Sse);
