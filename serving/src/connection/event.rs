//! The events of a connection.

/// Something that has happened on a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// There is something to deliver: messages, a gap, or the rest of something.
    News,
    /// The one thing that the session asked to be done, such as a confirmation, is done.
    Done,
    /// The client has sent something, or has gone.
    Readable,
    /// The time that the session has set is here.
    Due,
    /// The service has begun to shut down. Comes once per connection.
    Draining,
    /// The service is shutting down and it is this connection's turn to go. Comes once per connection.
    Released,
}
