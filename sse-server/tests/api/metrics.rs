//! The counts and measures of the service.

use crate::helpers::Sse;

testkit::metric_behaviours!(Sse);
testkit::behaviours!(Sse: metrics::the_slowest_reader_shows, debug::clients_show_on_debug_and_can_be_ended);
