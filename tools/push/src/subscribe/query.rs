//! The query of a subscription.

/// Returns the query of a subscription.
pub(super) fn query<'a>(topics: &'a [String], since: &'a str) -> Vec<(&'a str, &'a str)> {
    let topics = topics.iter().map(|topic| ("topic", topic.as_str()));
    topics.chain([("since", since)]).collect()
}
