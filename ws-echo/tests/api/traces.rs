//! What a message went through.

use crate::helpers::Feed;

testkit::trace_behaviours!(Feed);
