//! Traces of messages.

use crate::helpers::Feed;

testkit::trace_behaviours!(Feed);
