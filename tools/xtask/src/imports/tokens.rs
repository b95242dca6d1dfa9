//! Paths among tokens that are not parsed: the arguments of macros and attributes.

use proc_macro2::{TokenStream, TokenTree};

use super::module::Segments;

/// All tokens that may be a path: names, joined by `::`. Fields, methods and lifetimes are left out.
pub(super) fn paths(tokens: TokenStream) -> Vec<Segments> {
    let mut paths = Vec::new();
    collect(tokens, &mut paths);
    paths
}

fn collect(tokens: TokenStream, paths: &mut Vec<Segments>) {
    let tokens: Vec<_> = tokens.into_iter().collect();
    let mut place = 0;
    while place < tokens.len() {
        match &tokens[place] {
            TokenTree::Group(group) => collect(group.stream(), paths),
            TokenTree::Ident(_) => {
                let (path, end) = path(&tokens, place);
                if begins_a_path(&tokens[..place], &path) {
                    paths.push(path);
                }
                place = end;
                continue;
            }
            TokenTree::Punct(_) | TokenTree::Literal(_) => {}
        }
        place += 1;
    }
}

/// The path that begins at `start`, and the place after it.
fn path(tokens: &[TokenTree], start: usize) -> (Segments, usize) {
    let mut segments = Segments::new();
    let mut place = start;
    while let Some(TokenTree::Ident(ident)) = tokens.get(place) {
        segments.push(ident.to_string().trim_start_matches("r#").to_owned());
        place += 1;
        if is(tokens, place, ':') && is(tokens, place + 1, ':') {
            place += 2;
        } else {
            break;
        }
    }
    (segments, place)
}

/// Checks the tokens before a name: after `.` it is a field, after `'` a lifetime, after `::` the rest of something else,
/// and after `$` a parameter of a macro, unless it is `$crate`.
fn begins_a_path(before: &[TokenTree], path: &[String]) -> bool {
    let back = |count: usize| before.len().checked_sub(count).and_then(|place| punct(before, place));
    match back(1) {
        Some('.') => back(2) == Some('.'),
        Some(':') => back(2) != Some(':'),
        Some('$') => path.first().is_some_and(|first| first == "crate"),
        Some('\'') => false,
        _ => true,
    }
}

fn punct(tokens: &[TokenTree], place: usize) -> Option<char> {
    match tokens.get(place) {
        Some(TokenTree::Punct(punct)) => Some(punct.as_char()),
        _ => None,
    }
}

fn is(tokens: &[TokenTree], place: usize, char: char) -> bool {
    punct(tokens, place) == Some(char)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_found_in_any_tokens() {
        let found = |text: &str| {
            let paths = paths(text.parse().unwrap());
            paths.iter().map(|path| path.join("::")).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(found("\"{}\", crate::hub::Hub::new(a.b.c, ..d)"), "crate::hub::Hub::new a d");
        assert_eq!(found("x: &'a super::T, y => { $crate::z!(); $w }"), "x super::T y crate::z");
        assert_eq!(found("Vec::<u8>::new() ::std::mem"), "Vec u8");
        assert_eq!(found("value_parser = crate::positive"), "value_parser crate::positive");
    }
}
