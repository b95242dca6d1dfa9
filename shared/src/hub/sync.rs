//! The primitives of the files that a model checker runs too, with its own in their place.

pub(super) use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize};

pub(super) use futures_util::task::AtomicWaker;
pub(super) use parking_lot::Mutex;
