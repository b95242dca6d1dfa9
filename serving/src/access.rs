//! Access: who may publish and subscribe what.
//!
//! A service is open until it has a key. Then every client needs a token (RFC 7519) that is signed with one of its keys, and
//! whose claims name the topics; or a ticket, which stands for a token where none can be sent.
//!
//! In reading order:
//! - `config`: the flags; `secret`: a text that is never shown
//! - `rights`: what one client may do, an argument of publishing and subscribing
//! - `gate`: from a request to its rights; `credential`: the places of a request that tokens and tickets are taken from
//! - `claims`: the content of a token; `bad_token`: the reasons why one is refused, and `denial`: their line in the log
//! - `tickets`: tickets, made and redeemed
//! - `key`: a key and its algorithm; `public_key`: the files of public keys; `key_set`: sets of keys (RFC 7517);
//!   `fixed_keys`: the keys of flags and files; `fetched_keys`: a set that is read again and again
//! - `signatures`: the cryptography below; `fuzzing`: a check of all this on any bytes

mod bad_token;
mod claims;
mod config;
mod credential;
pub(crate) mod denial;
mod fetched_keys;
mod fixed_keys;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod gate;
mod key;
mod key_set;
mod public_key;
mod rights;
mod secret;
mod signatures;
mod tickets;

pub use config::{AccessConfig, BadKeySetPlace, KeySetPlace, KeySetText};
pub use fetched_keys::KeySetError;
pub use fixed_keys::KeyError;
pub use gate::GateError;
pub(crate) use gate::{Asked, Gate, Shut};
pub use key::BadKey;
pub use key_set::BadKeySet;
pub use public_key::BadPublicKey;
pub use rights::{Access, Denied};
pub use secret::{Secret, SecretTooShort};
pub(crate) use tickets::Ticket;
