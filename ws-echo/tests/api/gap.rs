//! A loss is reported, once, and delivery goes on after it.

use crate::helpers::Feed;

testkit::behaviours!(Feed:
    gap::a_cursor_older_than_the_history_has_expired,
    gap::a_cursor_of_another_epoch_is_reported,
    gap::a_burst_longer_than_the_history_makes_a_client_lag,
    gap::a_gap_is_reported_to_a_client_that_was_cut_off_before_it,
    gap::a_client_that_reads_too_slowly_gets_its_gap,
);
