//! The program, run from its command line against the `limit` server, which it starts by itself.

use std::path::PathBuf;
use std::process::{Command, Output};

/// A folder for one test, which is removed with it.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("bench-test-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a folder");
        Self(path)
    }

    fn path(&self, name: &str) -> String {
        self.0.join(name).display().to_string()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // A folder that remains is untidy, not wrong.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn bench(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_bench")).args(arguments).output().expect("it is built")
}

#[track_caller]
fn succeed(arguments: &[&str]) -> String {
    let output = bench(arguments);
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    String::from_utf8(output.stdout).expect("text")
}

#[test]
fn methods_are_compared_and_drawn() {
    let folder = Folder::new("compare");
    let (json, svg) = (folder.path("compare.json"), folder.path("compare.svg"));
    let flags = ["compare", "--target", "limit", "--subscribers", "20", "--messages", "10", "--rate", "200"];
    let table = succeed(&[&flags[..], &["--rounds", "2", "--json", &json]].concat());
    for line in ["limit ws", "limit poll", "limit sse", "CPU s/million"] {
        assert!(table.contains(line), "{line}: {table}");
    }
    let report: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(&json).unwrap()).unwrap();
    assert_eq!((&report["clients"], &report["rounds"]), (&20.into(), &2.into()));
    let rows = report["rows"].as_array().unwrap();
    assert_eq!(rows.len(), 3);
    for row in rows {
        for figure in row["figures"].as_array().unwrap() {
            assert_eq!(figure["values"].as_array().unwrap().len(), 2, "{figure}");
        }
    }

    succeed(&["plot", &json, "--figure", "cpu_us_per_delivery", "--title", "A title", "--svg", &svg]);
    let drawn = std::fs::read_to_string(&svg).unwrap();
    for text in ["A title", "ws 20", "poll 20", "sse 20"] {
        assert!(drawn.contains(text), "{text}: {drawn}");
    }
    let refused = bench(&["plot", &json, "--figure", "colour", "--svg", &svg]);
    assert_eq!(refused.status.code(), Some(2), "{refused:?}");
}

#[test]
fn targets_are_measured_in_turn_and_shown_as_ratios() {
    let flags = ["--target", "limit", "--target", "limit", "--rounds", "1"];
    let table = succeed(&[&["echo", "--connections", "2", "--seconds", "0.1"], &flags[..]].concat());
    assert_eq!(table.matches("limit echo").count() % 2, 0, "{table}");
    assert!(table.contains("1.00"), "{table}");
    for command in [&["idle", "--rest", "0.01"][..], &["storm"]] {
        let table = succeed(&[command, &["--method", "poll", "--connections", "10"], &flags].concat());
        assert!(table.contains("limit poll"), "{table}");
    }
}

#[test]
fn what_cannot_be_run_is_said() {
    for (arguments, said) in [
        (&["fanout", "--method", "sse", "--target", "nowhere.toml"][..], "nowhere.toml"),
        (&["fanout", "--method", "sse", "--target", "push=/nowhere"], "/nowhere"),
        (&["fanout", "--method", "sse", "--bytes", "29"], "--bytes"),
        (&["fanout", "--method", "sse", "--rate", "1", "--in-flight", "1"], "--in-flight"),
    ] {
        let output = bench(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {output:?}");
        assert!(String::from_utf8_lossy(&output.stderr).contains(said), "{arguments:?}: {output:?}");
    }
}
