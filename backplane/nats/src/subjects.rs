//! The subjects that a consumer of several topics is made with.

use super::wire;
use shared::topic::TopicFilter;

/// The subjects of filters, such that no two have a topic in common, which a consumer is not allowed. Where that needs
/// more than leaving some out, it is the subject of everything.
pub(super) fn subjects(filters: &[TopicFilter]) -> Vec<String> {
    let mut subjects: Vec<String> = Vec::new();
    for filter in filters {
        let subject = wire::subject_of(filter);
        if subjects.iter().any(|other| covers(other, &subject)) {
            continue;
        }
        subjects.retain(|other| !covers(&subject, other));
        if subjects.iter().any(|other| overlap(other, &subject)) {
            return vec![wire::ALL.to_owned()];
        }
        subjects.push(subject);
    }
    subjects
}

/// Whether all that one subject stands for is stood for by the wider one.
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

/// Whether there is something that both subjects stand for.
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
    fn a_consumer_is_asked_for_subjects_that_have_nothing_in_common() {
        assert_eq!(of(&["a", "b.*"]), ["push.a", "push.b.*"]);
        assert_eq!(of(&["a.b", "a.*", "c", "a.c"]), ["push.a.*", "push.c"]);
        assert_eq!(of(&["a.*", "a.>", "a.b.c"]), ["push.a.>"]);
        assert_eq!(of(&["a", ">"]), ["push.>"]);
        assert_eq!(of(&["*.new", "orders.*"]), ["push.>"]);
        assert_eq!(of(&["*.new", "orders.old"]), ["push.*.new", "push.orders.old"]);
        assert_eq!(of(&["a.>", "a"]), ["push.a.>", "push.a"]);
    }
}
