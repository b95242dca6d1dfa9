//! Patterns over many topics: pages of them, and streams.

use super::client::Client;
use super::ground::{Ground, TOPIC};
use crate::load::number;

/// The paths for publishing on topics of two tokens, and of seven.
pub(super) const SHALLOW: &str = "/messages?topic=attack.{number}";
pub(super) const DEEP: &str = "/messages?topic=attack.a.b.c.d.e.{number}";

/// The tokens of a deep topic that are the same in all of them.
const COMMON: [&str; 6] = [TOPIC, "a", "b", "c", "d", "e"];

/// The most patterns of one request: each common token is itself or `*`.
const PATTERNS: u32 = 1 << COMMON.len();

/// A quarter of 185 KB, and less than --max-unread-bytes.
const PIPELINE: usize = 185_000 / 4;

/// Sends many requests for the same page at once.
pub(super) async fn pipeline(ground: &Ground, index: usize) -> anyhow::Result<()> {
    let pattern = if index.is_multiple_of(2) { "%3E".to_owned() } else { format!("{TOPIC}.*") };
    let request = ground.get(&format!("/messages?topic={pattern}"));
    let count = PIPELINE / request.len();
    let requests = request.repeat(count);
    let mut client = Client::connect(ground).await?;
    loop {
        client.send(&requests).await?;
        for _ in 0..count {
            client.answer().await?;
        }
    }
}

/// Reads pages one after the other, of patterns that match everything and of patterns that match next to nothing.
pub(super) async fn read(ground: &Ground) -> anyhow::Result<()> {
    let requests = [wide(), narrow()].map(|query| ground.get(&format!("/messages?{query}")));
    let mut client = Client::connect(ground).await?;
    loop {
        for request in &requests {
            client.send(request).await?;
            client.answer().await?;
        }
    }
}

/// Follows patterns, and leaves as soon as the stream has begun.
pub(super) async fn follow(ground: &Ground) -> anyhow::Result<()> {
    let requests = [wide(), narrow()].map(|query| ground.follow(&query));
    loop {
        for request in &requests {
            let mut client = Client::connect(ground).await?;
            client.send(request).await?;
            client.status().await?;
        }
    }
}

/// Patterns that match every deep topic, each another one.
fn wide() -> String {
    let pattern = |bits: u32| {
        let token = |place: usize| if bits >> place & 1 == 1 { "*" } else { COMMON[place] };
        let tokens: Vec<&str> = (0..COMMON.len()).map(token).collect();
        format!("topic={}.*", tokens.join("."))
    };
    (0..PATTERNS).map(pattern).collect::<Vec<_>>().join("&")
}

/// Patterns that match one deep topic each.
fn narrow() -> String {
    let pattern = |topic: u32| format!("topic=*.a.b.c.d.e.{}", number(topic));
    (0..PATTERNS).map(pattern).collect::<Vec<_>>().join("&")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_has_as_many_patterns_as_one_may_have() {
        for query in [wide(), narrow()] {
            let mut patterns: Vec<&str> = query.split('&').collect();
            patterns.sort_unstable();
            patterns.dedup();
            assert_eq!(patterns.len(), 64, "{query}");
            assert!(patterns.iter().all(|pattern| pattern.contains('*')), "{query}");
        }
        assert!(wide().starts_with("topic=attack.a.b.c.d.e.*&topic=*.a.b.c.d.e.*&"), "{}", wide());
    }
}
