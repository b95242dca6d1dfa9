//! Joins the modules of push.js (`client/src`) into the one file that the services serve.
//!
//! A module is put before those that import it, and loses its imports, `export`, indentation, and the lines that are comments alone.
//! For that, the modules keep to four rules, of which the first two are checked here: an import is one line, a comment is on lines of
//! its own, no text goes over several lines, and no two modules declare the same name.

use std::path::{Path, PathBuf};
use std::{env, fs};

const MODULES: &str = "../client/src";
const ENTRY: &str = "push.js";

fn main() {
    println!("cargo::rerun-if-changed={MODULES}");
    let mut joined = String::new();
    join(ENTRY, &mut Vec::new(), &mut joined);
    let folder = PathBuf::from(env::var_os("OUT_DIR").expect("cargo names the folder"));
    fs::write(folder.join(ENTRY), joined).expect("cargo's folder can be written to");
}

/// Adds a module after those that it imports, unless it is there already.
fn join(name: &str, done: &mut Vec<String>, joined: &mut String) {
    if done.iter().any(|done| done == name) {
        return;
    }
    done.push(name.to_owned());
    let path = Path::new(MODULES).join(name);
    let source = fs::read_to_string(&path).unwrap_or_else(|error| panic!("reading {}: {error}", path.display()));
    let mut in_comment = false;
    for line in source.lines().map(str::trim) {
        if in_comment || line.starts_with("/*") {
            in_comment = !line.ends_with("*/");
        } else if let Some(import) = line.strip_prefix("import ") {
            let from = import.strip_suffix("\";").and_then(|import| import.split_once(" from \"./"));
            let (_, from) = from.unwrap_or_else(|| panic!("{name}: not an import of one line: {line}"));
            join(from, done, joined);
        } else if !line.is_empty() && !line.starts_with("//") {
            assert!(!line.contains(" // ") && !line.contains("/*"), "{name}: a comment beside code: {line}");
            let line = if name == ENTRY { line } else { line.strip_prefix("export ").unwrap_or(line) };
            joined.push_str(line);
            joined.push('\n');
        }
    }
}
