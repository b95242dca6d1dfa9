//! A message as a history holds it.

use std::ptr;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use tokio::time::Instant;

use super::account::Account;
use super::format::Format;
use super::offset_queue::AtOffset;
use super::usage::Usage;
use crate::message::Message;
use crate::moment::Moment;
use crate::publisher::PublisherId;

/// A message as a history holds it, with its encodings.
#[derive(Debug)]
pub struct Entry {
    /// The message.
    pub message: Message,
    /// The first of the chain, inline since most services use one format.
    encoding: OnceLock<Encoding>,
    /// `None` for an entry that no history holds.
    held: Option<Held>,
}

/// The part of an entry that concerns the history which holds it.
#[derive(Debug)]
struct Held {
    account: Account,
    since: Moment,
    /// The time at which it was appended.
    appended: Instant,
    /// `None` if it is not known.
    publisher: Option<PublisherId>,
}

/// A message in one format, and the link to its encodings in other formats.
#[derive(Debug)]
struct Encoding {
    format: &'static Format,
    bytes: Bytes,
    next: OnceLock<Box<Self>>,
}

impl Entry {
    /// An entry that no history holds, as an archive hands it out.
    pub fn new(message: Message) -> Self {
        Self { message, encoding: OnceLock::new(), held: None }
    }

    /// An entry of a history since a moment, which counts in its usage until it is released.
    pub(super) fn held(
        message: Message,
        since: Moment,
        appended: Instant,
        publisher: Option<PublisherId>,
        usage: &Arc<Usage>,
    ) -> Self {
        let account = Account::open(Arc::clone(usage), Self::bytes_of(&message));
        Self { message, encoding: OnceLock::new(), held: Some(Held { account, since, appended, publisher }) }
    }

    /// The memory that the message takes, without its encodings.
    pub(super) fn bytes(&self) -> usize {
        Self::bytes_of(&self.message)
    }

    fn bytes_of(message: &Message) -> usize {
        // Beside what it points to: the entry, its two counts, its places in the topic's history and in the ring.
        const FIXED: usize = size_of::<Entry>() + 5 * size_of::<usize>();
        let traceparent = message.traceparent.as_deref().map_or(0, size_of_val);
        FIXED + message.text.len() + message.event.as_ref().map_or(0, |event| event.as_str().len()) + traceparent
    }

    /// The message in a format. Made at first need, then shared by all readers.
    ///
    /// Once the history has used up its memory, the encoding of a message that is not recent is for the caller alone:
    /// reading old messages must not push out others.
    #[inline]
    pub fn encoded(&self, format: &'static Format) -> Bytes {
        match self.kept(format) {
            Some(bytes) => bytes.clone(),
            None => self.encode(format),
        }
    }

    /// The encoding in a format, if it is kept.
    fn kept(&self, format: &'static Format) -> Option<&Bytes> {
        let mut kept = self.encoding.get();
        while let Some(encoding) = kept {
            if ptr::eq(encoding.format, format) {
                return Some(&encoding.bytes);
            }
            kept = encoding.next.get().map(Box::as_ref);
        }
        None
    }

    /// Encodes the message, and keeps the encoding if that is allowed.
    fn encode(&self, format: &'static Format) -> Bytes {
        match self.account() {
            Some(account) if !account.usage().is_recent(self.offset()) => self.encoded_if_room(format, account),
            _ => self.keep(format, || {
                let bytes = format.encode(&self.message);
                if let Some(account) = self.account() {
                    account.add(cost(&bytes));
                }
                bytes
            }),
        }
    }

    fn encoded_if_room(&self, format: &'static Format, account: &Account) -> Bytes {
        let bytes = format.encode(&self.message);
        let cost = cost(&bytes);
        if !account.try_add(cost) {
            return bytes;
        }
        let mut kept = false;
        let encoded = self.keep(format, || {
            kept = true;
            bytes
        });
        if !kept {
            account.subtract(cost);
        }
        encoded
    }

    /// The encoding at the end of the chain, unless another reader has been faster.
    fn keep(&self, format: &'static Format, encode: impl FnOnce() -> Bytes) -> Bytes {
        let mut encode = Some(encode);
        let mut make = || {
            let encode = encode.take().expect("the chain is searched no further than what is made");
            Encoding { format, bytes: encode(), next: OnceLock::new() }
        };
        let mut encoding = self.encoding.get_or_init(&mut make);
        while !ptr::eq(encoding.format, format) {
            encoding = encoding.next.get_or_init(|| Box::new(make()));
        }
        encoding.bytes.clone()
    }

    /// Gives back the memory that is counted for the entry, which the history holds no longer. Encodings that are made
    /// from now on are not counted.
    pub(super) fn release(&self) {
        if let Some(account) = self.account() {
            account.close();
        }
    }

    pub(super) fn offset(&self) -> u64 {
        self.message.id.offset
    }

    /// Returns whether a history has held the entry since before a moment.
    pub(super) fn is_held_since_before(&self, moment: Moment) -> bool {
        self.held.as_ref().is_some_and(|held| held.since < moment)
    }

    /// The time at which the entry was appended, if a history holds it.
    pub fn appended(&self) -> Option<Instant> {
        self.held.as_ref().map(|held| held.appended)
    }

    /// The publisher, if a history holds the entry and knows it.
    pub(super) fn publisher(&self) -> Option<PublisherId> {
        self.held.as_ref()?.publisher
    }

    fn account(&self) -> Option<&Account> {
        self.held.as_ref().map(|held| &held.account)
    }
}

impl AtOffset for Arc<Entry> {
    fn offset(&self) -> u64 {
        self.message.id.offset
    }
}

/// The memory that an encoding occupies.
fn cost(bytes: &Bytes) -> usize {
    size_of::<Encoding>() + bytes.len()
}
