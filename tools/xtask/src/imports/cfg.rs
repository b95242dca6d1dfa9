//! Items that are compiled for tests or documentation alone.

use syn::{Attribute, Meta, Token, punctuated::Punctuated};

/// Returns whether an item is absent from the crate that others use: it is a test, or its `#[cfg]` requires one.
pub(super) fn is_absent(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let is_test = attribute.path().segments.last().is_some_and(|segment| segment.ident == "test");
        is_test || (attribute.path().is_ident("cfg") && predicate(attribute) == Some(false))
    })
}

fn predicate(attribute: &Attribute) -> Option<bool> {
    evaluate(&attribute.parse_args::<Meta>().ok()?)
}

/// The value of a `cfg` predicate where `test` and `doc` are not set. `None` where it depends on anything else.
fn evaluate(predicate: &Meta) -> Option<bool> {
    let Meta::List(list) = predicate else {
        let absent = predicate.path().is_ident("test") || predicate.path().is_ident("doc");
        return absent.then_some(false);
    };
    let parts = list.parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated).ok()?;
    let parts: Vec<_> = parts.iter().map(evaluate).collect();
    let name = list.path.get_ident()?.to_string();
    match name.as_str() {
        "not" => parts.first().copied().flatten().map(|value| !value),
        "all" if parts.contains(&Some(false)) => Some(false),
        "any" if parts.contains(&Some(true)) => Some(true),
        "all" if parts.iter().all(|part| *part == Some(true)) => Some(true),
        "any" if parts.iter().all(|part| *part == Some(false)) => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn absent(predicate: &str) -> bool {
        let item: syn::ItemStruct = syn::parse_str(&format!("#[cfg({predicate})] struct S;")).unwrap();
        is_absent(&item.attrs)
    }

    #[test]
    fn only_what_needs_a_test_is_absent() {
        for predicate in ["test", "all(test, unix)", "any(test, doc)", "not(not(test))", "all(not(loom), test)"] {
            assert!(absent(predicate), "{predicate}");
        }
        for predicate in ["not(test)", "unix", "any(test, unix)", "feature = \"nats\"", "not(all(test, unix))", "all()"]
        {
            assert!(!absent(predicate), "{predicate}");
        }
    }

    #[test]
    fn a_test_is_absent() {
        for text in ["#[test] fn f() {}", "#[tokio::test(start_paused = true)] async fn f() {}"] {
            let item: syn::ItemFn = syn::parse_str(text).unwrap();
            assert!(is_absent(&item.attrs), "{text}");
        }
    }
}
