//! Joins the modules of push.js (`client/src`) into the one file that the services serve.
//!
//! A module is put before those that import it. Its imports, `export` and the lines that are comments alone are left out, and so are
//! indentation and the spaces that separate no words; the names of private fields become short. For that, the modules keep to five rules,
//! of which the first three are checked here: an import is one line, a comment is on lines of its own, a text begins and ends on one line
//! and has neither a backslash nor a private name, no regular expression has a quote, a space or a `#`, and no two modules declare the same name.

use std::iter::Peekable;
use std::path::{Path, PathBuf};
use std::str::Chars;
use std::{env, fs};

const MODULES: &str = "../client/src";
const ENTRY: &str = "push.js";

fn main() {
    println!("cargo::rerun-if-changed={MODULES}");
    let mut bundle = Bundle::default();
    bundle.join(ENTRY);
    let folder = PathBuf::from(env::var_os("OUT_DIR").expect("cargo names the folder"));
    fs::write(folder.join(ENTRY), bundle.joined).expect("cargo's folder can be written to");
}

#[derive(Default)]
struct Bundle {
    joined: String,
    /// The modules that are in it.
    modules: Vec<String>,
    /// The names of private fields, each of which becomes a letter or two.
    private: Vec<String>,
}

impl Bundle {
    /// Adds a module after those that it imports, unless it is there already.
    fn join(&mut self, name: &str) {
        if self.modules.iter().any(|module| module == name) {
            return;
        }
        self.modules.push(name.to_owned());
        let path = Path::new(MODULES).join(name);
        let source = fs::read_to_string(&path).unwrap_or_else(|error| panic!("reading {}: {error}", path.display()));
        let mut in_comment = false;
        for line in source.lines().map(str::trim) {
            if in_comment || line.starts_with("/*") {
                in_comment = !line.ends_with("*/");
            } else if let Some(import) = line.strip_prefix("import ") {
                let from = import.strip_suffix("\";").and_then(|import| import.split_once(" from \"./"));
                let (_, from) = from.unwrap_or_else(|| panic!("{name}: not an import of one line: {line}"));
                self.join(from);
            } else if !line.is_empty() && !line.starts_with("//") {
                assert!(!line.contains(" // ") && !line.contains("/*"), "{name}: a comment beside code: {line}");
                self.add(if name == ENTRY { line } else { line.strip_prefix("export ").unwrap_or(line) });
            }
        }
    }

    /// Adds a line of code. The texts in it stay as they are.
    fn add(&mut self, line: &str) {
        let (mut quote, mut before) = (None, '\n');
        let mut rest = line.chars().peekable();
        while let Some(c) = rest.next() {
            let after = rest.peek().copied().unwrap_or('\n');
            match quote {
                Some(_) if matches!(c, '\\' | '#') => panic!("a backslash or a private name in a text: {line}"),
                Some(begin) if c == begin => quote = None,
                Some(_) => {}
                None if matches!(c, '"' | '\'' | '`') => quote = Some(c),
                // `a + +b` is not `a++b`.
                None if c == ' ' && !(is_word(before) && is_word(after)) && before != after => continue,
                None if c == '#' => {
                    self.joined.push(c);
                    self.add_private(&mut rest);
                    before = c;
                    continue;
                }
                None => {}
            }
            self.joined.push(c);
            before = c;
        }
        assert!(quote.is_none(), "a text over several lines: {line}");
        self.joined.push('\n');
    }

    /// Adds the short name for the private one that comes next.
    fn add_private(&mut self, rest: &mut Peekable<Chars<'_>>) {
        let mut name = String::new();
        while let Some(c) = rest.next_if(|&c| is_word(c)) {
            name.push(c);
        }
        let place = self.private.iter().position(|known| *known == name).unwrap_or_else(|| {
            self.private.push(name);
            self.private.len() - 1
        });
        let letter = |place: usize| char::from(b'a' + u8::try_from(place % 26).expect("it is less than 26"));
        self.joined.push(letter(place));
        if place >= 26 {
            self.joined.push(letter(place / 26));
        }
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '$' | '#')
}
