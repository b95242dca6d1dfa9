//! Random streams of a client's frames: valid ones, and ones that are damaged.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use super::wire_frame::{BINARY, CLOSE, CONTINUATION, FIN, LengthForm, PING, PONG, TEXT, WireFrame};

/// The longest message that a reader is to take.
pub(super) const LIMIT: usize = 70_000;

/// Bytes that a client sends, and the pieces in which they are received.
#[derive(Debug, Clone)]
pub(super) struct ClientStream {
    frames: Vec<WireFrame>,
    damages: Vec<Damage>,
    /// The lengths of the pieces, over and over.
    pieces: Vec<usize>,
}

/// A change that is made to a stream. An index is one of its frames, or of its bytes.
#[derive(Debug, Clone)]
enum Damage {
    Reserved(Index, u8),
    Opcode(Index, u8),
    Fin(Index),
    Unmask(Index),
    Form(Index, LengthForm),
    Length(Index, i64),
    FlipBit(Index, u32),
    Truncate(Index),
    Repeat(Index, usize),
    Drop(Index, usize),
}

impl ClientStream {
    pub(super) fn pieces(&self) -> Vec<Vec<u8>> {
        let mut frames = self.frames.clone();
        self.damages.iter().for_each(|damage| damage.change_frame(&mut frames));
        let mut wire = Vec::new();
        frames.iter().for_each(|frame| frame.write(&mut wire));
        self.damages.iter().for_each(|damage| damage.change_bytes(&mut wire));
        let (mut pieces, mut rest) = (Vec::new(), &wire[..]);
        for length in self.pieces.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (piece, after) = rest.split_at(rest.len().min(*length));
            pieces.push(piece.to_vec());
            rest = after;
        }
        pieces
    }
}

impl Damage {
    fn change_frame(&self, frames: &mut [WireFrame]) {
        if frames.is_empty() {
            return;
        }
        match self {
            Self::Reserved(at, bits) => at.get_mut(frames).first |= bits << 4,
            Self::Opcode(at, opcode) => {
                let first = &mut at.get_mut(frames).first;
                *first = *first & 0xf0 | opcode;
            }
            Self::Fin(at) => at.get_mut(frames).first ^= FIN,
            Self::Unmask(at) => at.get_mut(frames).key = None,
            Self::Form(at, form) => at.get_mut(frames).form = *form,
            Self::Length(at, excess) => at.get_mut(frames).excess = *excess,
            _ => {}
        }
    }

    fn change_bytes(&self, wire: &mut Vec<u8>) {
        if wire.is_empty() {
            return;
        }
        let range = |at: &Index, length: usize| {
            let start = at.index(wire.len());
            start..wire.len().min(start + length)
        };
        match self {
            Self::FlipBit(at, bit) => *at.get_mut(wire) ^= 1 << bit,
            Self::Truncate(at) => wire.truncate(at.index(wire.len())),
            Self::Repeat(at, length) => {
                let range = range(at, *length);
                let repeated = wire[range.clone()].to_vec();
                wire.splice(range.start..range.start, repeated);
            }
            Self::Drop(at, length) => {
                let range = range(at, *length);
                wire.drain(range);
            }
            _ => {}
        }
    }
}

pub(super) fn client_stream() -> impl Strategy<Value = ClientStream> {
    let part = prop_oneof![3 => message(), 2 => control().prop_map(|frame| vec![frame])];
    let close = prop_oneof![2 => Just(None), 1 => close().prop_map(Some)];
    let frames = (vec(part, 0..6), close).prop_map(|(parts, close)| parts.into_iter().flatten().chain(close).collect());
    let damages = prop_oneof![1 => Just(Vec::new()), 2 => vec(damage(), 1..4)];
    let pieces = vec(prop_oneof![4 => 1..40_usize, 2 => 100..5000_usize, 1 => Just(usize::MAX)], 1..8);
    (frames, damages, pieces).prop_map(|(frames, damages, pieces)| ClientStream { frames, damages, pieces })
}

/// A message in fragments, with control frames between them.
fn message() -> impl Strategy<Value = Vec<WireFrame>> {
    let payload = prop_oneof![text().prop_map(|text| (TEXT, text)), binary().prop_map(|bytes| (BINARY, bytes))];
    let cuts =
        prop_oneof![2 => Just(Vec::new()), 1 => vec((any::<Index>(), any::<[u8; 4]>(), vec(control(), 0..3)), 1..4)];
    (payload, cuts, any::<[u8; 4]>()).prop_map(|((opcode, payload), mut cuts, key)| {
        cuts.sort_by_key(|(at, ..)| at.index(payload.len() + 1));
        let (mut frames, mut start) = (Vec::new(), 0);
        let opcode_at = |start_of_message: bool| if start_of_message { opcode } else { CONTINUATION };
        for (at, key, between) in cuts {
            let end = at.index(payload.len() + 1);
            frames.push(masked(opcode_at(frames.is_empty()), key, &payload[start..end]));
            frames.extend(between);
            start = end;
        }
        frames.push(masked(FIN | opcode_at(frames.is_empty()), key, &payload[start..]));
        frames
    })
}

fn masked(first: u8, key: [u8; 4], payload: &[u8]) -> WireFrame {
    WireFrame { key: Some(key), ..WireFrame::new(first, payload) }
}

/// The lengths at which a frame's header or a reader's answer changes, and others.
fn length() -> impl Strategy<Value = usize> {
    prop_oneof![12 => 0..40_usize, 6 => 120..130_usize, 1 => 65_533..65_539_usize, 1 => LIMIT - 2..LIMIT + 3]
}

fn text() -> impl Strategy<Value = Vec<u8>> {
    (length(), vec(any::<char>(), 1..8)).prop_map(|(length, chars)| {
        let mut text = String::new();
        for c in chars.into_iter().cycle() {
            if text.len() + c.len_utf8() > length {
                break;
            }
            text.push(c);
        }
        text.into_bytes()
    })
}

fn binary() -> impl Strategy<Value = Vec<u8>> {
    (length(), vec(any::<u8>(), 1..20)).prop_map(|(length, bytes)| bytes.into_iter().cycle().take(length).collect())
}

fn control() -> impl Strategy<Value = WireFrame> {
    let payload = prop_oneof![vec(any::<u8>(), 0..10), vec(any::<u8>(), 120..=125)];
    let opcode = prop_oneof![Just(PING), Just(PONG)];
    (opcode, any::<[u8; 4]>(), payload).prop_map(|(opcode, key, payload)| masked(FIN | opcode, key, &payload))
}

fn close() -> impl Strategy<Value = WireFrame> {
    let code = prop_oneof![3 => 999..1017_u16, 2 => 2998..5002_u16, 1 => any::<u16>()];
    let payload = prop_oneof![
        1 => Just(Vec::new()),
        6 => (code, vec(any::<char>(), 0..10)).prop_map(|(code, reason)| {
            [&code.to_be_bytes()[..], reason.into_iter().collect::<String>().as_bytes()].concat()
        }),
        1 => vec(any::<u8>(), 1..10),
    ];
    (any::<[u8; 4]>(), payload).prop_map(|(key, payload)| masked(FIN | CLOSE, key, &payload))
}

fn damage() -> impl Strategy<Value = Damage> {
    let at = any::<Index>;
    prop_oneof![
        1 => (at(), 1..8_u8).prop_map(|(at, bits)| Damage::Reserved(at, bits)),
        1 => (at(), 0..16_u8).prop_map(|(at, opcode)| Damage::Opcode(at, opcode)),
        1 => at().prop_map(Damage::Fin),
        1 => at().prop_map(Damage::Unmask),
        1 => (at(), prop_oneof![Just(LengthForm::TwoBytes), Just(LengthForm::EightBytes)])
            .prop_map(|(at, form)| Damage::Form(at, form)),
        1 => (at(), prop_oneof![-3..4_i64, Just(i64::from(u16::MAX)), Just(1 << 62)])
            .prop_map(|(at, excess)| Damage::Length(at, excess)),
        3 => (at(), 0..8_u32).prop_map(|(at, bit)| Damage::FlipBit(at, bit)),
        1 => at().prop_map(Damage::Truncate),
        1 => (at(), 1..20_usize).prop_map(|(at, length)| Damage::Repeat(at, length)),
        1 => (at(), 1..20_usize).prop_map(|(at, length)| Damage::Drop(at, length)),
    ]
}
