//! The short version of `cargo xtask crash --seeds 1000`.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)]

use std::process::Command;

#[test]
fn a_crash_of_the_machine_loses_nothing_that_anyone_has_received() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_crash"));
    let output = command.args(["--seeds", "50"]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    let summary = said.lines().last().unwrap();
    assert!(summary.starts_with("50 crashes: ") && summary.ends_with("; 0 crashes failed"), "{said}");
    let [told, found] = ["crashes: ", "them, "].map(|before| {
        let (_, rest) = summary.split_once(before).unwrap();
        rest.split_whitespace().next().unwrap().parse::<u64>().unwrap()
    });
    assert!(told > 10_000 && found > 1000, "hardly anything was published: {said}");
}
