//! The reasons why a token or ticket is refused: for the log, never for the answer.

/// The reason. Its text has nothing of the token but the names of its algorithm and key.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
pub(crate) enum BadToken {
    #[error("it is not a signed token: three parts of base64, the first of them a header with a known algorithm")]
    Malformed,
    #[error("there are several {0}")]
    Several(&'static str),
    #[error("its header asks for extensions (crit) that are not known")]
    Critical,
    #[error("it is signed by {0}, for which there is no key")]
    NoKey(String),
    #[error("it names no key (kid), and --jwks has several, or none for its algorithm")]
    NamesNoKey,
    #[error("it names the key {0:?} (kid), which --jwks does not have")]
    UnknownKey(String),
    #[error("it is signed by {0}, and the key that it names is for another algorithm")]
    OtherAlgorithm(String),
    #[error("its signature is not one of the key")]
    Signature,
    #[error("its content is not a JSON object with each claim at most once")]
    NoClaims,
    #[error("its claim `{0}` is malformed")]
    MalformedClaim(&'static str),
    #[error("it has no end (exp); --jwt-allow-eternal takes such tokens")]
    NoEnd,
    #[error("it has expired (exp)")]
    Expired,
    #[error("it is not valid yet (nbf)")]
    NotYet,
    #[error("it is of another issuer (iss) than --jwt-issuer")]
    Issuer,
    #[error("it is for another audience (aud) than --jwt-audience")]
    Audience,
    #[error("the ticket is not one of --ticket-secret")]
    NoTicket,
    #[error("the ticket was good for 30 s, which are over")]
    TicketOver,
    #[error("the ticket was made for another origin")]
    TicketOrigin,
    #[error("a ticket gives no other ticket")]
    TicketForTicket,
}

impl BadToken {
    /// The reason as metrics have it, one of a few.
    pub(super) fn label(&self) -> &'static str {
        match self {
            Self::Malformed | Self::Several(_) | Self::Critical => "malformed",
            Self::NoKey(_) | Self::NamesNoKey | Self::UnknownKey(_) | Self::OtherAlgorithm(_) => "unknown_key",
            Self::Signature => "signature",
            Self::NoClaims | Self::MalformedClaim(_) | Self::NoEnd => "claims",
            Self::Expired => "expired",
            Self::NotYet => "not_yet",
            Self::Issuer => "issuer",
            Self::Audience => "audience",
            Self::NoTicket | Self::TicketOver | Self::TicketOrigin | Self::TicketForTicket => "ticket",
        }
    }
}
