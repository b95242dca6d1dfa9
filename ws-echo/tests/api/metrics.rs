//! The counts and measures of the service.

use crate::helpers::Feed;

testkit::metric_behaviours!(Feed);
testkit::behaviours!(Feed: metrics::the_slowest_reader_shows, debug::clients_show_on_debug_and_can_be_ended);
