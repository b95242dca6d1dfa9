//! The process: flags, signals, exit codes.

use crate::helpers::Sse;

testkit::lifecycle_behaviours!(Sse);
testkit::limit_behaviours!(Sse);
testkit::behaviours!(Sse: lifecycle::a_signal_lets_clients_have_what_was_accepted);
