//! The process: flags, signals, exit codes.

use crate::helpers::Sse;

testkit::behaviours!(Sse:
    lifecycle::a_signal_lets_clients_have_what_was_accepted,
    lifecycle::an_early_signal_is_heeded,
    lifecycle::a_second_signal_ends_the_process,
    lifecycle::healthcheck_reports_whether_the_service_is_ready,
    lifecycle::an_address_in_use_is_reported_with_its_flag,
    lifecycle::flags_that_make_no_sense_are_refused,
    lifecycle::the_version_and_every_flag_are_named,
);
