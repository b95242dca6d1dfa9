//! The place of an operation in a distributed trace.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

/// The operation that caused something, in the form of the header `traceparent`
/// ([W3C Trace Context](https://www.w3.org/TR/trace-context/#traceparent-header), section 3.2): the trace that it belongs to, its own
/// identifier, and flags.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Traceparent {
    trace: [u8; 16],
    span: [u8; 8],
    flags: u8,
}

/// The flag of a trace that its caller records.
const SAMPLED: u8 = 1;

/// The length of a `traceparent` of version 00, in bytes.
const LENGTH: usize = 55;

/// The error for a text that is no `traceparent`.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("a traceparent is four hexadecimal numbers, such as 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")]
pub struct BadTraceparent;

impl Traceparent {
    /// The operation `span` of a trace. `None` if one of the two is zero, which stands for none.
    pub fn new(trace: [u8; 16], span: [u8; 8], is_sampled: bool) -> Option<Self> {
        let flags = if is_sampled { SAMPLED } else { 0 };
        (trace != [0; 16] && span != [0; 8]).then_some(Self { trace, span, flags })
    }

    /// The identifier of the trace.
    pub fn trace(&self) -> [u8; 16] {
        self.trace
    }

    /// The identifier of the operation.
    pub fn span(&self) -> [u8; 8] {
        self.span
    }

    /// Returns whether the caller records the trace.
    pub fn is_sampled(&self) -> bool {
        self.flags & SAMPLED != 0
    }
}

impl FromStr for Traceparent {
    type Err = BadTraceparent;

    /// Reads the header's value, of this version or of a later one, whose further fields are passed over (section 4.3).
    fn from_str(text: &str) -> Result<Self, BadTraceparent> {
        let (known, more) = text.split_at_checked(LENGTH).ok_or(BadTraceparent)?;
        let mut fields = known.split('-');
        let mut field = || fields.next().ok_or(BadTraceparent);
        let [version] = bytes(field()?)?;
        if version == 0xff || !(more.is_empty() || version > 0 && more.starts_with('-')) {
            return Err(BadTraceparent);
        }
        let (trace, span, [flags]) = (bytes(field()?)?, bytes(field()?)?, bytes(field()?)?);
        if fields.next().is_some() {
            return Err(BadTraceparent);
        }
        // Of the flags, those that this version does not know are not handed on.
        Self::new(trace, span, flags & SAMPLED != 0).ok_or(BadTraceparent)
    }
}

/// The bytes of a hexadecimal number, which has lower case.
fn bytes<const N: usize>(text: &str) -> Result<[u8; N], BadTraceparent> {
    let is_valid = text.len() == 2 * N && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let mut bytes = [0; N];
    for (index, byte) in bytes.iter_mut().enumerate().filter(|_| is_valid) {
        *byte = u8::from_str_radix(&text[2 * index..2 * index + 2], 16).map_err(|_| BadTraceparent)?;
    }
    if is_valid { Ok(bytes) } else { Err(BadTraceparent) }
}

impl fmt::Display for Traceparent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (trace, span) = (u128::from_be_bytes(self.trace), u64::from_be_bytes(self.span));
        write!(f, "00-{trace:032x}-{span:016x}-{:02x}", self.flags)
    }
}

impl Serialize for Traceparent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLED_PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    #[test]
    fn a_traceparent_is_handed_on_as_it_came() {
        let parsed: Traceparent = SAMPLED_PARENT.parse().unwrap();
        assert!(parsed.is_sampled());
        assert_eq!((parsed.trace()[0], parsed.span()[7]), (0x0a, 0x31));
        assert_eq!(parsed.to_string(), SAMPLED_PARENT);
        let unsampled = SAMPLED_PARENT.replace("-01", "-00");
        assert_eq!(unsampled.parse::<Traceparent>().unwrap().to_string(), unsampled);
    }

    #[test]
    fn a_later_version_is_read_as_far_as_it_is_known() {
        for later in [
            "cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-09",
            "01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-03-what comes",
        ] {
            assert_eq!(later.parse::<Traceparent>().unwrap().to_string(), SAMPLED_PARENT);
        }
    }

    #[test]
    fn anything_else_is_no_traceparent() {
        for bad in [
            "",
            "00",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-",
            "01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01x",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b716920333+-01",
            "00-0af7651916cd43dd8448eb211c80319-cb7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-é1",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b71692033-1-01",
            " 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        ] {
            assert_eq!(bad.parse::<Traceparent>(), Err(BadTraceparent), "{bad:?}");
        }
    }
}
