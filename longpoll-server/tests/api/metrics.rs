//! The counts and measures of the service.

use crate::helpers::LongPolling;

testkit::metric_behaviours!(LongPolling);
