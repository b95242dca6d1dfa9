//! What the service counts and measures.

use crate::helpers::LongPolling;

testkit::metric_behaviours!(LongPolling);
