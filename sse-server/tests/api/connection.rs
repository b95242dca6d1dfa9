//! Clients that stall or read slowly.

use crate::helpers::Sse;

testkit::behaviours!(Sse:
    connection::a_client_that_takes_nothing_is_cut_off_while_others_go_on,
    connection::a_client_that_is_slow_and_reads_on_gets_everything,
);
