//! The history that all subscribers share, and how they follow it.
//!
//! A [`Subscriber`] is a cursor into a bounded history: it holds no messages, so a slow one costs no memory. A hub has one
//! [`Appender`]; only a backplane owns it, which makes the backplane the one place where order is decided.
//!
//! Readers and the appender agree on one number, `head`: a message is visible once `head` has reached its offset. A reader
//! loads `head` first and takes nothing after it, so it can never see a later message of one topic and miss an earlier
//! one of another.
//!
//! A message is in the history of its topic and in the ring of all messages; the newest messages of a pattern are in a
//! window of its own too. A subscriber of patterns reads their windows, or the ring where it is further behind. An eviction takes it out of all of them and
//! notes the loss in one step, and checking for a loss and reading are one step too: no loss goes unreported.
//!
//! A history can be replaced as a whole, by one of another epoch: the hub then hands out the new one, and the subscribers
//! of the old one, which has a link to its successor, move over and report a gap to their clients.
//!
//! If an [`Archive`] holds more than memory does, a subscriber that falls out of memory reads from there until memory
//! reaches back to its position.
//!
//! In reading order:
//! - `entry`, `format`: a message and its encodings; `usage`, `account`: the memory that they take
//! - `window`, `ring`, `offset_queue`: messages in order; `loss`, `progress`: what is gone, and for which reader
//! - `topic_history`, `pattern_group`, `trie`, `forgotten`, `registry`, `survey`: the topics and patterns
//! - `history`, `limits`: one epoch; `appender`: its writer, with `publisher_shares`; `slots`, `wake`: the subscribers that wait for news
//! - `batch`, `budget`, `joined`, `burst`: the messages that are read at once
//! - `subscriber`, `interests`, `interest`, `matcher`, `unread`: its readers; `archive`, `backfill`: messages that memory no longer holds
//! - `handle`: the hub itself

mod account;
mod appender;
mod archive;
mod backfill;
mod batch;
mod budget;
mod burst;
mod entry;
mod forgotten;
mod format;
mod handle;
mod history;
mod interest;
mod interests;
mod joined;
mod limits;
mod loss;
mod matcher;
mod offset_queue;
mod pattern_group;
mod progress;
mod publisher_shares;
mod registry;
mod ring;
mod shared_window;
mod slots;
mod subscriber;
mod survey;
mod sync;
mod topic_history;
mod trie;
mod unread;
mod usage;
mod wake;
mod window;

pub use appender::Appender;
pub use archive::{Archive, ArchivePosition, Fetched};
pub use batch::{Batch, BatchLimit, EncodedBatch, Entries, Tally, Traced};
pub use entry::Entry;
pub use format::Format;
pub use handle::{Hub, TopicUse};
pub use limits::HistoryLimits;
pub use subscriber::Subscriber;
pub use wake::Wake;
