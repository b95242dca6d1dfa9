//! The checks of `tools/fuzz` as tests: on its seeds, and on seeds that are damaged at random.

use std::env;
use std::fs;
use std::panic::{self, AssertUnwindSafe};
use std::path::{Path, PathBuf};

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::{RngSeed, TestCaseError, TestRunner};

use crate::damage::damage;

/// The damaged seeds for one check, unless `PROPTEST_CASES` says otherwise.
const CASES: u32 = 2000;

/// Bytes with a meaning in what is parsed.
const LIKELY: &[u8] = b" \t\r\n:\0\x7f\"\\{}[],.*>-&=%+01\xff";

/// Runs a check on every seed of a target, and on seeds that were damaged. Panics with the smallest input that fails, and the
/// number by which `PROPTEST_RNG_SEED` repeats the run.
pub fn assert_holds(target: &str, check: impl Fn(&[u8])) {
    let seeds = seeds(target);
    for (path, seed) in &seeds {
        if panic::catch_unwind(AssertUnwindSafe(|| check(seed))).is_err() {
            panic!("the check {target} fails on the seed {}", path.display());
        }
    }
    let default = ProptestConfig::default();
    let number = match default.rng_seed {
        RngSeed::Fixed(number) => number,
        RngSeed::Random => fastrand::u64(..),
    };
    let rng_seed = RngSeed::Fixed(number);
    let cases = if env::var_os("PROPTEST_CASES").is_some() { default.cases } else { CASES };
    let config = ProptestConfig { cases, failure_persistence: None, rng_seed, ..default };
    let outcome = TestRunner::new(config).run(&damaged(seeds), |input| {
        let outcome = panic::catch_unwind(AssertUnwindSafe(|| check(&input)));
        outcome.map_err(|_| TestCaseError::fail(format!("it fails on \"{}\"", input.escape_ascii())))
    });
    outcome.unwrap_or_else(|failure| panic!("the check {target}, by PROPTEST_RNG_SEED={number}: {failure}"));
}

/// Returns seeds with up to four changes each, some of them with another seed at their end.
fn damaged(seeds: Vec<(PathBuf, Vec<u8>)>) -> impl Strategy<Value = Vec<u8>> {
    let seeds: Vec<Vec<u8>> = seeds.into_iter().map(|(_, seed)| seed).collect();
    let other = prop_oneof![3 => Just(None), 1 => (select(seeds.clone()), any::<Index>()).prop_map(Some)];
    (select(seeds), other, vec(damage(LIKELY), 0..5)).prop_map(|(mut bytes, other, damages)| {
        if let Some((other, at)) = other {
            bytes.truncate(at.index(bytes.len() + 1));
            bytes.extend(other);
        }
        damages.iter().for_each(|damage| damage.change(&mut bytes));
        bytes
    })
}

/// Returns the seeds of a target, in the order of their names.
fn seeds(target: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/seeds").join(target);
    let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("reading {}: {error}", folder.display()));
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("a folder can be listed").path()).collect();
    paths.sort();
    assert!(!paths.is_empty(), "no seeds in {}", folder.display());
    let read = |path: PathBuf| {
        let bytes = fs::read(&path).unwrap_or_else(|error| panic!("reading {}: {error}", path.display()));
        (path, bytes)
    };
    paths.into_iter().map(read).collect()
}
