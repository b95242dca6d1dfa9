//! The documents hold what can be held by a test: flags, links, examples.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use clap::CommandFactory;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The documents for people, as paths from the root.
fn documents() -> Vec<String> {
    let docs = fs::read_dir(root().join("docs")).unwrap();
    let docs = docs.map(|entry| format!("docs/{}", entry.unwrap().file_name().into_string().unwrap()));
    let docs = docs.filter(|name| name.ends_with(".md"));
    ["README.md", "README.zh-CN.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md"]
        .map(str::to_owned)
        .into_iter()
        .chain(docs)
        .collect()
}

/// Splits a document into its prose and its blocks of code.
fn parts(text: &str) -> (String, Vec<String>) {
    let (mut prose, mut blocks, mut inside) = (String::new(), Vec::new(), false);
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            inside = !inside;
            if inside {
                blocks.push(String::new());
            }
        }
        let part = if inside { blocks.last_mut().unwrap() } else { &mut prose };
        part.push_str(line);
        part.push('\n');
    }
    assert!(!inside, "a block of code does not end");
    (prose, blocks)
}

#[test]
fn every_flag_is_in_the_table_of_flags_and_every_row_is_a_flag() {
    let commands = [ws_echo::Config::command(), longpoll_server::Config::command(), sse_server::Config::command()];
    let arguments = commands.iter().flat_map(clap::Command::get_arguments).filter(|argument| !argument.is_hide_set());
    let flags = arguments.filter_map(|argument| argument.get_long().map(|name| format!("--{name}")));
    let flags: BTreeSet<String> = flags.filter(|flag| !["--help", "--version"].contains(&flag.as_str())).collect();

    let table = read("docs/configuration.md");
    let cells = table.lines().filter(|line| line.starts_with("| `--")).map(|line| line.split('|').nth(1).unwrap());
    let described = cells.flat_map(|cell| cell.split('`')).filter(|text| text.starts_with("--")).map(str::to_owned);
    assert_eq!(flags, described.collect());
}

/// The anchor of a heading, as GitHub makes it.
fn anchor(heading: &str) -> String {
    let kept = heading.trim().to_lowercase();
    let kept = kept.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

#[test]
fn every_link_leads_somewhere() {
    for document in documents() {
        let (prose, _) = parts(&read(&document));
        for link in prose.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if link.starts_with("http") {
                continue;
            }
            let (path, wanted) = link.split_once('#').unwrap_or((link, ""));
            let target = match path {
                "" => root().join(&document),
                path => root().join(&document).parent().unwrap().join(path),
            };
            assert!(target.exists(), "{document}: {link}");
            if !wanted.is_empty() {
                let (prose, _) = parts(&fs::read_to_string(&target).unwrap());
                let mut headings =
                    prose.lines().filter(|line| line.starts_with('#')).map(|line| line.trim_start_matches('#'));
                assert!(headings.any(|heading| anchor(heading) == wanted), "{document}: {link}");
            }
        }
    }
}

#[test]
fn every_document_is_in_the_index() {
    let index = read("docs/README.md");
    for document in documents().iter().filter_map(|document| document.strip_prefix("docs/")) {
        assert!(document == "README.md" || index.contains(&format!("]({document})")), "{document}");
    }
}

/// The blocks of code without their comments, which are translated.
#[test]
fn both_readmes_have_the_same_examples() {
    let blocks = |document| {
        let (_, blocks) = parts(&read(document));
        let uncommented =
            |line: &str| line.split(" #").next().unwrap().split(" // ").next().unwrap().trim_end().to_owned();
        blocks.iter().map(|block| block.lines().map(uncommented).collect::<Vec<_>>().join("\n")).collect::<Vec<_>>()
    };
    let translated = blocks("README.zh-CN.md");
    for block in blocks("README.md") {
        assert!(translated.contains(&block), "{block}");
    }
}
