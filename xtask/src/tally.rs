//! Adds up what test runners report.

use std::ops::AddAssign;

/// Tests passed and failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub passed: u64,
    pub failed: u64,
}

impl Tally {
    /// One thing that was looked at.
    pub fn one(ok: bool) -> Self {
        Self { passed: u64::from(ok), failed: u64::from(!ok) }
    }

    /// Counts of libtest, nextest, wasm-bindgen-test-runner and `node --test` in `text`; a runner may report often.
    pub fn of(text: &str) -> Self {
        let lines: Vec<String> = text.lines().map(plain).collect();
        // nextest shows the whole output of a test that failed, libtest's own counts in it: only its summary counts
        let nextest = lines.iter().any(|line| is_nextest(line));
        let mut tally = Self::default();
        for line in lines.iter().filter(|line| !nextest || is_nextest(line)) {
            tally += Self::of_line(line);
        }
        tally
    }

    /// What a runner reported; a failure that it did not count (no compile, a hang, a crash) counts as one.
    pub fn of_run(text: &str, ok: bool) -> Self {
        let mut tally = Self::of(text);
        if !ok && tally.failed == 0 {
            tally.failed = 1;
        }
        tally
    }

    fn of_line(line: &str) -> Self {
        let line = line.trim();
        // libtest and wasm-bindgen: `test result: ok. 3 passed; 0 failed; …`; nextest: `Summary [ 1s] 3 tests run: 3 passed, …`
        if line.starts_with("test result:") || is_nextest(line) {
            let after = line.rsplit_once(" run: ").map_or(line, |(_, rest)| rest);
            let failed = ["failed", "timed out", "exec failed"].iter().map(|word| before(after, word)).sum();
            return Self { passed: before(after, "passed"), failed };
        }
        // node: `ℹ pass 3` (spec) or `# pass 3` (tap)
        if let Some(rest) = line.strip_prefix("ℹ ").or_else(|| line.strip_prefix("# ")) {
            let mut words = rest.split_whitespace();
            let (Some(word), Some(Ok(count)), None) =
                (words.next(), words.next().map(str::parse), words.next())
            else {
                return Self::default();
            };
            // a skipped or unfinished test is a failure: nothing is to be left out unseen
            return match word {
                "pass" => Self { passed: count, failed: 0 },
                "fail" | "cancelled" | "skipped" | "todo" => Self { passed: 0, failed: count },
                _ => Self::default(),
            };
        }
        Self::default()
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
    }
}

/// The line with which nextest ends.
fn is_nextest(line: &str) -> bool {
    let line = line.trim();
    line.starts_with("Summary [") && (line.contains(" test run: ") || line.contains(" tests run: "))
}

/// The number right before ` word`, at a border of `,`, `;` or `.`; what is in brackets does not count.
fn before(text: &str, word: &str) -> u64 {
    let mut depth = 0_u32;
    let open: String = text
        .chars()
        .filter(|c| {
            match c {
                '(' => depth += 1,
                ')' => depth = depth.saturating_sub(1),
                _ => return depth == 0,
            }
            false
        })
        .collect();
    open.split([',', ';', '.'])
        .filter_map(|part| part.trim().strip_suffix(word))
        .find_map(|part| part.trim().parse().ok())
        .unwrap_or(0)
}

/// `line` without terminal colours.
fn plain(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        if c == '\u{1b}' {
            chars.by_ref().find(char::is_ascii_alphabetic);
        } else {
            out.push(c);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(passed: u64, failed: u64) -> Tally {
        Tally { passed, failed }
    }

    #[test]
    fn libtest_binaries_are_summed() {
        let text = "test result: ok. 12 passed; 0 failed; 0 ignored; 0 measured\n\
                    test result: FAILED. 3 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.1s";
        assert_eq!(Tally::of(text), tally(15, 2));
    }

    #[test]
    fn nextest_summary_is_read() {
        let line = "     Summary [   0.013s] 9 tests run: 7 passed (1 slow, 1 flaky), 2 failed, 0 skipped";
        assert_eq!(Tally::of(line), tally(7, 2));
        let shown = "    test result: FAILED. 0 passed; 1 failed; 0 ignored";
        assert_eq!(
            Tally::of(&format!("{shown}\n{line}")),
            tally(7, 2),
            "a failure that is shown counts once"
        );
        assert_eq!(Tally::of("Summary [ 1s] 4 tests run: 3 passed, 1 timed out, 0 skipped"), tally(3, 1));
    }

    #[test]
    fn node_counts_what_was_left_out_as_failed() {
        assert_eq!(
            Tally::of("ℹ tests 6\nℹ pass 3\nℹ fail 1\nℹ cancelled 1\nℹ skipped 1\nℹ todo 0"),
            tally(3, 3)
        );
        assert_eq!(Tally::of("# pass 2\n# fail 0\n# pass me the salt"), tally(2, 0));
    }

    #[test]
    fn colours_do_not_hide_a_result() {
        assert_eq!(Tally::of("test result: \u{1b}[32mok\u{1b}[0m. 1 passed; 0 failed"), tally(1, 0));
    }

    #[test]
    fn a_crash_without_counts_is_one_failure() {
        assert_eq!(Tally::of_run("error[E0308]: mismatched types", false), tally(0, 1));
        assert_eq!(Tally::of_run("test result: FAILED. 1 passed; 2 failed", false), tally(1, 2));
        assert_eq!(Tally::of_run("", true), tally(0, 0));
    }
}
