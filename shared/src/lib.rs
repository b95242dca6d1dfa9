//! The core of the push servers: messages, the histories that hold them, and the subscribers that are woken for them.
//!
//! A message that is published passes the [`backplane`], which gives it its offset; from there it enters the histories of
//! the [`hub`], and every subscriber, a cursor into them, is woken to send it on. The bytes that are sent are the business
//! of a service: this crate knows no transport.
//!
//! In reading order:
//! - [`message`], [`timestamp`], [`topic`], [`cursor`], [`gap`], [`duration`], [`traceparent`]: the nouns of the wire contract;
//!   [`publisher`]: whoever publishes
//! - [`moment`], [`wall_clock`]: time as it passes here, and as people have it
//! - [`hub`]: histories and subscribers
//! - [`backplane`]: the order of messages; [`ticker`]: the simulated source
//! - `fuzzing`: checks of the nouns on any bytes

pub mod backplane;
pub mod cursor;
pub mod duration;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
pub mod gap;
pub mod hub;
pub mod message;
pub mod moment;
pub mod publisher;
pub mod ticker;
pub mod timestamp;
pub mod topic;
pub mod traceparent;
pub mod wall_clock;
