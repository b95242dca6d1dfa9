//! The things that come over a connection.

use crate::message::{Gap, Message};

/// A thing that came, by any method.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Received {
    /// A message, whose id is the new cursor.
    Message(Message),
    /// A gap, whose cursor is the new one.
    Gap(Gap),
    /// The position moved on without a message.
    Position(String),
    /// A sign of life.
    Alive,
}
