//! The attacks.

use clap::ValueEnum;

use super::ground::Ground;
use super::history::History;
use super::{arrays, bodies, churn, floods, follow, frames, heads, messages, pages, silence, spin};
use crate::target::Method;

/// An attack: what an abusive client does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// No attack: a thread of the load generator computes
    Spin,
    /// Streams over a history of 12 MB that are never read
    UnreadStreams,
    /// Streams and pages of control characters, read at 5 KB/s
    SlowReaders,
    /// Uploads that announce 1 MiB and send a byte now and then
    SlowBodies,
    /// Arrays of 1,000 and of 80,000 messages, published as fast as they are answered
    Arrays,
    /// WebSocket messages of 60 KB that are begun and not finished
    BegunMessages,
    /// 185 KB of requests for pages of a pattern over 20,000 topics, sent at once
    PipelinedPatterns,
    /// Pages of 64 patterns over 20,000 topics
    PatternPages,
    /// Streams of 64 patterns over 20,000 topics, which leave at once and come back
    PatternSubscribers,
    /// Connections that say nothing, and clients to be refused, where all places are taken
    SilentConnections,
    /// WebSockets that are opened and cut as fast as possible, where nobody reads the log
    EchoChurn,
    /// Messages of 60 KB, published on one topic as fast as they are answered
    PublishFlood,
    /// Messages on ever new topics
    TopicFlood,
    /// Messages under ever new idempotency keys
    KeyFlood,
    /// Heads of requests as large as allowed, and larger
    HeadFlood,
    /// Requests of which one byte is sent
    OneByteStarts,
    /// Pings, fragments without end, and frames that are too large, on WebSockets
    FrameFlood,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 17] = [
        Self::Spin,
        Self::UnreadStreams,
        Self::SlowReaders,
        Self::SlowBodies,
        Self::Arrays,
        Self::BegunMessages,
        Self::PipelinedPatterns,
        Self::PatternPages,
        Self::PatternSubscribers,
        Self::SilentConnections,
        Self::EchoChurn,
        Self::PublishFlood,
        Self::TopicFlood,
        Self::KeyFlood,
        Self::HeadFlood,
        Self::OneByteStarts,
        Self::FrameFlood,
    ];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Spin => "spin",
            Self::UnreadStreams => "unread-streams",
            Self::SlowReaders => "slow-readers",
            Self::SlowBodies => "slow-bodies",
            Self::Arrays => "arrays",
            Self::BegunMessages => "begun-messages",
            Self::PipelinedPatterns => "pipelined-patterns",
            Self::PatternPages => "pattern-pages",
            Self::PatternSubscribers => "pattern-subscribers",
            Self::SilentConnections => "silent-connections",
            Self::EchoChurn => "echo-churn",
            Self::PublishFlood => "publish-flood",
            Self::TopicFlood => "topic-flood",
            Self::KeyFlood => "key-flood",
            Self::HeadFlood => "head-flood",
            Self::OneByteStarts => "one-byte-starts",
            Self::FrameFlood => "frame-flood",
        }
    }

    /// The method of the service that is attacked, where another one was asked for or not.
    pub(super) fn method(self, asked: Method) -> Method {
        match self {
            Self::BegunMessages | Self::EchoChurn | Self::FrameFlood => Method::Ws,
            _ => asked,
        }
    }

    /// The usual number of attackers.
    pub(super) fn attackers(self) -> usize {
        match self {
            Self::Spin => 1,
            Self::UnreadStreams => 200,
            Self::SlowReaders => 30,
            Self::SlowBodies => 300,
            Self::Arrays => 8,
            Self::BegunMessages => 500,
            Self::PipelinedPatterns => 4,
            Self::PatternPages => 2,
            Self::PatternSubscribers => 6,
            Self::SilentConnections => 208,
            Self::EchoChurn | Self::HeadFlood => 16,
            Self::PublishFlood | Self::TopicFlood | Self::KeyFlood => 8,
            Self::OneByteStarts => 1_000,
            Self::FrameFlood => 12,
        }
    }

    /// The messages that are there before the attack.
    pub(super) fn history(self) -> History {
        match self {
            Self::UnreadStreams => History::Large { byte: b'x' },
            // In JSON, each takes six characters.
            Self::SlowReaders => History::Large { byte: 1 },
            Self::PipelinedPatterns => History::Topics { path: pages::SHALLOW },
            Self::PatternPages | Self::PatternSubscribers => History::Topics { path: pages::DEEP },
            _ => History::Empty,
        }
    }

    /// The flags of the service, where honest clients take so many places.
    pub(super) fn flags(self, places: usize) -> Vec<(&'static str, String)> {
        match self {
            Self::SilentConnections => vec![("--max-connections", places.to_string())],
            // Every connection is logged, in this version and in older ones.
            Self::EchoChurn => vec![("--log", "info,ws_echo=debug,serving=debug,shared=debug".to_owned())],
            _ => Vec::new(),
        }
    }

    pub(super) fn leaves_log_unread(self) -> bool {
        self == Self::EchoChurn
    }

    /// One attacker, until it has been cut off or refused. It is started again then.
    pub(super) async fn live(self, ground: &Ground, index: usize) -> anyhow::Result<()> {
        match self {
            Self::Spin => spin::live().await,
            Self::UnreadStreams => follow::never_read(ground).await,
            Self::SlowReaders => follow::read_slowly(ground, index).await,
            Self::SlowBodies => bodies::live(ground).await,
            Self::Arrays => arrays::live(ground, index).await,
            Self::BegunMessages => messages::live(ground).await,
            Self::PipelinedPatterns => pages::pipeline(ground, index).await,
            Self::PatternPages => pages::read(ground).await,
            Self::PatternSubscribers => pages::follow(ground).await,
            Self::SilentConnections => silence::live(ground, index).await,
            Self::EchoChurn => churn::live(ground, index).await,
            Self::PublishFlood => floods::large(ground).await,
            Self::TopicFlood => floods::topics(ground).await,
            Self::KeyFlood => floods::keys(ground).await,
            Self::HeadFlood => heads::flood(ground, index).await,
            Self::OneByteStarts => heads::begin(ground).await,
            Self::FrameFlood => frames::flood(ground, index).await,
        }
    }
}
