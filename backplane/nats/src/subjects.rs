//! The subjects that a consumer of several topics is created with.

use crate::stored_message;
use shared::topic::TopicFilter;

/// The subjects of filters, no two of which have a topic in common, since the server refuses a consumer of overlapping
/// subjects. Where that takes more than leaving some out, it is the subject of everything.
pub(crate) fn subjects(filters: &[TopicFilter]) -> Vec<String> {
    let mut subjects: Vec<String> = Vec::new();
    for filter in filters {
        let subject = stored_message::subject_of(filter);
        if subjects.iter().any(|other| covers(other, &subject)) {
            continue;
        }
        subjects.retain(|other| !covers(&subject, other));
        if subjects.iter().any(|other| overlap(other, &subject)) {
            return vec![stored_message::ALL.to_owned()];
        }
        subjects.push(subject);
    }
    subjects
}

/// Returns whether a wider subject matches everything that the other one matches.
fn covers(wide: &str, subject: &str) -> bool {
    let mut tokens = subject.split('.');
    for wanted in wide.split('.') {
        match (wanted, tokens.next()) {
            (">", Some(_)) => return true,
            ("*", Some(token)) if token != ">" => {}
            (_, Some(token)) if token == wanted => {}
            _ => return false,
        }
    }
    tokens.next().is_none()
}

/// Returns whether there is something that both subjects match.
fn overlap(one: &str, other: &str) -> bool {
    let mut tokens = other.split('.');
    for wanted in one.split('.') {
        match (wanted, tokens.next()) {
            (">", Some(_)) | (_, Some(">")) => return true,
            ("*", Some(_)) | (_, Some("*")) => {}
            (_, Some(token)) if token == wanted => {}
            _ => return false,
        }
    }
    tokens.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(filters: &[&str]) -> Vec<String> {
        subjects(&filters.iter().map(|filter| filter.parse().unwrap()).collect::<Vec<_>>())
    }

    #[test]
    fn the_subjects_of_a_consumer_have_nothing_in_common() {
        assert_eq!(of(&["a", "b.*"]), ["push.a", "push.b.*"]);
        assert_eq!(of(&["a.b", "a.*", "c", "a.c"]), ["push.a.*", "push.c"]);
        assert_eq!(of(&["a.*", "a.>", "a.b.c"]), ["push.a.>"]);
        assert_eq!(of(&["a", ">"]), ["push.>"]);
        assert_eq!(of(&["*.new", "orders.*"]), ["push.>"]);
        assert_eq!(of(&["*.new", "orders.old"]), ["push.*.new", "push.orders.old"]);
        assert_eq!(of(&["a.>", "a"]), ["push.a.>", "push.a"]);
    }
}
