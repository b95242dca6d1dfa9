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
    /// The client's rights end soon. Comes once per time that was set.
    Expiring,
    /// The client's rights have ended: everything that is due is to be delivered and the session to finish, before the connection is
    /// cut off. Comes once per time that was set.
    Expired,
    /// The service has begun to shut down. Comes once per connection.
    Draining,
    /// The service is shutting down and it is this connection's turn to go. Comes once per connection.
    Released,
}
