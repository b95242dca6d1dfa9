//! The numbers of tests that passed and failed, as test programs print them.

use std::fmt;

/// The results of test programs, from the lines that they print (rustc's libtest), in colour or without.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) passed: u32,
    pub(crate) failed: u32,
    /// Those that are ignored, or left out by a filter.
    pub(crate) skipped: u32,
    /// The names of those that failed.
    pub(crate) names: Vec<String>,
}

impl Tally {
    pub(crate) fn of(lines: &str) -> Self {
        let mut tally = Self::default();
        lines.lines().for_each(|line| tally.add(line));
        tally
    }

    /// Counts one line.
    pub(crate) fn add(&mut self, line: &str) {
        if let Some((_, result)) = line.split_once("test result: ") {
            // `ok. 3 passed; 0 failed; 1 ignored; …`
            let number = |kind| {
                let word = result.split_once(kind).and_then(|(before, _)| before.rsplit(' ').next());
                word.and_then(|number| number.parse::<u32>().ok()).unwrap_or_default()
            };
            self.passed += number(" passed");
            self.failed += number(" failed");
            self.skipped += number(" ignored") + number(" filtered out");
        } else if let Some((name, result)) = line.strip_prefix("test ").and_then(|rest| rest.rsplit_once(" ... "))
            && result.contains("FAILED")
        {
            self.names.push(name.to_owned());
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for name in &self.names {
            writeln!(f, "failed: {name}")?;
        }
        let Self { passed, failed, skipped, .. } = self;
        write!(f, "{passed} passed, {failed} failed, {skipped} skipped")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_summed_over_test_programs_in_colour_too() {
        let lines = "test a ... ok\ntest b::c ... FAILED\ntest result: FAILED. 1 passed; 1 failed; 2 ignored; 0 measured\n\
                     test d ... \x1b[32mok\x1b[m\ntest e - f (line 3) ... \x1b[31mFAILED\x1b[m\n\n\
                     test result: \x1b[31mFAILED\x1b[m. 10 passed; 1 failed; 0 ignored; 0 measured; 3 filtered out; finished in 1.00s\n";
        let tally = Tally::of(lines);
        assert_eq!((tally.passed, tally.failed, tally.skipped), (11, 2, 5));
        assert_eq!(tally.to_string(), "failed: b::c\nfailed: e - f (line 3)\n11 passed, 2 failed, 5 skipped");
    }

    #[test]
    fn other_lines_count_nothing() {
        assert_eq!(Tally::of("running 3 tests\ntest x ... ignored\n12 passed\n"), Tally::default());
    }
}
