//! A text that is too large to be on its way as a whole.

/// The length of a text that does not fit between a server and a client that reads nothing, whatever the system buffers.
pub const HUGE: usize = 6 << 20;

/// The flags of a service to which [`HUGE`] texts are published.
pub const HUGE_ALLOWED: [&str; 6] =
    ["--max-message-bytes", "8MiB", "--max-body-bytes", "8MiB", "--history-bytes", "128MiB"];

/// Makes a [`HUGE`] text.
pub fn huge(letter: &str) -> String {
    letter.repeat(HUGE)
}
