//! The attacks.

use clap::ValueEnum;

use super::ground::Ground;
use super::history::History;
use super::site::Site;
use super::{
    arrays, bodies, churn, cross_site, floods, follow, frames, heads, http2, messages, pages, silence, spin, tls,
    tokens,
};
use crate::target::Method;

/// The bytes of a history that is full soon.
const SMALL_HISTORY: u64 = 16 << 20;

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
    /// Over TLS: bytes that are no handshake
    TlsGarbage,
    /// Over TLS: handshakes that stop in the middle
    TlsHalfHandshakes,
    /// Over TLS: first messages in records of one byte, without an end, and as large as may be
    TlsHellos,
    /// Over TLS: handshakes, as fast as they are answered
    TlsHandshakes,
    /// Over TLS: renegotiation in TLS 1.2, new keys without end in TLS 1.3
    TlsNewKeys,
    /// HTTP/2: requests that are taken back at once
    Http2RapidReset,
    /// HTTP/2: settings, without end
    Http2Settings,
    /// HTTP/2: pings, without end
    Http2Pings,
    /// HTTP/2: heads of requests that do not end
    Http2Continuations,
    /// HTTP/2: small heads of requests that become large
    Http2HeaderBombs,
    /// HTTP/2: streams over a history of 12 MB that are never read
    Http2UnreadStreams,
    /// On a closed service: tokens that are garbage, unsigned, signed with the wrong key or very long
    BadTokens,
    /// On a closed service: tokens of ever new keys
    UnknownKeys,
    /// On a closed service: requests of another site's pages, with a good cookie
    CrossSite,
}

impl Kind {
    /// All of them.
    pub fn all() -> &'static [Self] {
        Self::value_variants()
    }

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
            Self::TlsGarbage => "tls-garbage",
            Self::TlsHalfHandshakes => "tls-half-handshakes",
            Self::TlsHellos => "tls-hellos",
            Self::TlsHandshakes => "tls-handshakes",
            Self::TlsNewKeys => "tls-new-keys",
            Self::Http2RapidReset => "http2-rapid-reset",
            Self::Http2Settings => "http2-settings",
            Self::Http2Pings => "http2-pings",
            Self::Http2Continuations => "http2-continuations",
            Self::Http2HeaderBombs => "http2-header-bombs",
            Self::Http2UnreadStreams => "http2-unread-streams",
            Self::BadTokens => "bad-tokens",
            Self::UnknownKeys => "unknown-keys",
            Self::CrossSite => "cross-site",
        }
    }

    /// The certificate and keys of the service.
    ///
    /// # Errors
    /// Fails when they cannot be made.
    pub fn site(self) -> anyhow::Result<Site> {
        Site::new(self.is_over_tls(), self.has_to_be_refused())
    }

    fn is_over_tls(self) -> bool {
        use Kind::{
            Http2Continuations, Http2HeaderBombs, Http2Pings, Http2RapidReset, Http2Settings, Http2UnreadStreams,
            TlsGarbage, TlsHalfHandshakes, TlsHandshakes, TlsHellos, TlsNewKeys,
        };
        matches!(
            self,
            TlsGarbage
                | TlsHalfHandshakes
                | TlsHellos
                | TlsHandshakes
                | TlsNewKeys
                | Http2RapidReset
                | Http2Settings
                | Http2Pings
                | Http2Continuations
                | Http2HeaderBombs
                | Http2UnreadStreams
        )
    }

    /// The requests after which the history is full that an attack fills, so that what it takes by design is taken before the attack.
    pub(super) fn requests_to_fill(self) -> u64 {
        match self {
            Self::PublishFlood => 2 * (SMALL_HISTORY >> 20) * 18,
            Self::TopicFlood => SMALL_HISTORY / 200,
            _ => 0,
        }
    }

    /// No request of the attack may be served.
    pub(super) fn has_to_be_refused(self) -> bool {
        matches!(self, Self::BadTokens | Self::UnknownKeys | Self::CrossSite)
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
            Self::FrameFlood | Self::TlsHellos | Self::BadTokens | Self::CrossSite => 12,
            Self::TlsGarbage | Self::TlsHandshakes => 16,
            Self::TlsHalfHandshakes => 500,
            Self::Http2UnreadStreams => 4,
            Self::TlsNewKeys
            | Self::Http2RapidReset
            | Self::Http2Settings
            | Self::Http2Pings
            | Self::Http2Continuations
            | Self::Http2HeaderBombs
            | Self::UnknownKeys => 8,
        }
    }

    /// The messages that are there before the attack.
    pub(super) fn history(self) -> History {
        match self {
            Self::UnreadStreams | Self::Http2UnreadStreams => History::Large { byte: b'x' },
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
            Self::PublishFlood | Self::TopicFlood => vec![("--history-bytes", format!("{SMALL_HISTORY}B"))],
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
            Self::TlsGarbage => tls::garbage(ground, index).await,
            Self::TlsHalfHandshakes => tls::half_handshake(ground, index).await,
            Self::TlsHellos => tls::hellos(ground, index).await,
            Self::TlsHandshakes => tls::handshakes(ground).await,
            Self::TlsNewKeys => tls::new_keys(ground, index).await,
            Self::Http2RapidReset => http2::rapid_reset(ground).await,
            Self::Http2Settings => http2::settings(ground, index).await,
            Self::Http2Pings => http2::pings(ground, index).await,
            Self::Http2Continuations => http2::continuations(ground, index).await,
            Self::Http2HeaderBombs => http2::header_bombs(ground).await,
            Self::Http2UnreadStreams => http2::unread_streams(ground, index).await,
            Self::BadTokens => tokens::bad(ground, index).await,
            Self::UnknownKeys => tokens::unknown_keys(ground).await,
            Self::CrossSite => cross_site::live(ground, index).await,
        }
    }
}
