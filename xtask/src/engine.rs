//! `bench engine`: instructions that the node takes for given works, counted by valgrind, beside what they were last.
//!
//! The works are tests of the crate (`src/node/tests/engine.rs`), as they are built for testing: not optimised but for the
//! cryptography, so the counts tell what grew, not how fast it is. They hardly vary from run to run and from machine to
//! machine. A work that takes over a twentieth more than `engine.json` says fails; `--write` has the file say what is so now.

use crate::paths;
use crate::process::{self, Output};
use anyhow::{Context, Result, bail};
use serde_json::{Map, Value};
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(30 * 60);
const FILE: &str = "tests-wasm/bench/engine.json";
const BEFORE: &str = "signing_up";
/// Work, the work that it begins with, how many operations it has.
const WORKS: &[(&str, &str, u64)] = &[
    ("a_thousand_in_one_batch", BEFORE, 1000),
    ("a_hundred_in_one_turn", BEFORE, 100),
    ("a_hundred_one_after_another", BEFORE, 100),
    ("a_thousand_opened_again", "a_thousand_in_one_batch", 1000),
    ("a_thousand_to_a_visitor", "a_thousand_in_one_batch", 1000),
];

/// Counts, prints and compares.
pub fn run(args: &[String]) -> Result<()> {
    let write = match args {
        [] => false,
        [option] if option == "--write" => true,
        _ => bail!("bench engine takes --write or nothing"),
    };
    let tests = tests()?;
    let file = paths::root().join(FILE);
    let last: Map<String, Value> = match fs::read_to_string(&file) {
        Ok(text) => serde_json::from_str(&text).with_context(|| format!("{FILE} is damaged"))?,
        Err(_) if write => Map::new(),
        Err(error) => return Err(error).context(FILE),
    };
    let mut counted = Map::new();
    for work in [BEFORE].into_iter().chain(WORKS.iter().map(|(work, ..)| *work)) {
        counted.insert(work.to_owned(), count(&tests, work)?.into());
    }
    println!("{:<30} {:>14} {:>12}", "instructions for an operation", "now", "last");
    for (work, now, then) in compare(&counted, &last) {
        println!("{work:<30} {now:>14} {:>12}", then.map_or_else(|| "—".to_owned(), |then| then.to_string()));
    }
    if write {
        fs::write(&file, format!("{}\n", serde_json::to_string_pretty(&counted)?))?;
        return Ok(());
    }
    let grown = grown(&counted, &last);
    if !grown.is_empty() {
        bail!(
            "over a twentieth more than {FILE} says: {}; if it must be, say so by --write",
            grown.join(", ")
        );
    }
    Ok(())
}

/// Each work with its instructions for an operation: as counted now, and as they were last.
fn compare(counted: &Map<String, Value>, last: &Map<String, Value>) -> Vec<(&'static str, u64, Option<u64>)> {
    let of = |counts: &Map<String, Value>, name: &str| counts.get(name).and_then(Value::as_u64);
    let begins = (BEFORE, of(counted, BEFORE).unwrap_or_default(), of(last, BEFORE));
    let each = |(work, before, operations): &(&'static str, &'static str, u64)| {
        let per = |counts| Some(of(counts, work)?.saturating_sub(of(counts, before)?) / operations);
        (*work, per(counted).unwrap_or_default(), per(last))
    };
    std::iter::once(begins).chain(WORKS.iter().map(each)).collect()
}

/// Works that take over a twentieth more, or were never counted.
fn grown(counted: &Map<String, Value>, last: &Map<String, Value>) -> Vec<&'static str> {
    let grew = |now: u64, then: Option<u64>| then.is_none_or(|then| now > then + then / 20);
    compare(counted, last)
        .into_iter()
        .filter(|(_, now, then)| grew(*now, *then))
        .map(|(work, ..)| work)
        .collect()
}

/// The built tests of the crate.
fn tests() -> Result<PathBuf> {
    let mut command = Command::new("cargo");
    command.args(["test", "--no-run", "--lib", "--package", "hypha-node", "--message-format", "json"]);
    let said = process::must(command.current_dir(paths::root()), LIMIT, Output::Kept)?;
    let built = said.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let executable = |line: Value| line.get("executable")?.as_str().map(PathBuf::from);
    built.filter_map(executable).next_back().context("cargo built no tests")
}

fn count(tests: &PathBuf, work: &str) -> Result<u64> {
    let mut command = Command::new("valgrind");
    command.args(["--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null"]);
    command.arg(tests).arg(format!("node::tests::engine::{work}")).args(["--exact", "--test-threads=1"]);
    let said = process::must(&mut command, LIMIT, Output::Kept)
        .context("instructions are counted by valgrind: install it (Debian: apt-get install valgrind)")?;
    if !said.contains("1 passed") {
        bail!("there is no work {work}");
    }
    let figure =
        said.lines().find_map(|line| line.split_once("refs:")).context("valgrind counted nothing")?.1;
    Ok(figure.trim().replace(',', "").parse()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(each: u64, more: Option<&str>) -> Map<String, Value> {
        let mut counts = Map::from_iter([(BEFORE.to_owned(), Value::from(1_000_000))]);
        for (work, before, operations) in WORKS {
            let base = counts.get(*before).and_then(Value::as_u64).unwrap();
            counts.insert((*work).to_owned(), (base + each * operations).into());
        }
        if let Some(work) = more {
            let operations =
                WORKS.iter().find(|(name, ..)| *name == work).map_or(1, |(.., operations)| *operations);
            let now = counts.get(work).and_then(Value::as_u64).unwrap();
            counts.insert(work.to_owned(), (now + operations * 60_000).into());
        }
        counts
    }

    #[test]
    fn a_work_that_grew_by_more_than_a_twentieth_is_told() {
        let last = counts(1_000_000, None);
        assert!(grown(&last, &last).is_empty());
        assert!(grown(&counts(1_050_000, None), &last).is_empty(), "a twentieth is not over it");
        assert_eq!(grown(&counts(1_060_000, None), &last).len(), WORKS.len());
        assert!(grown(&counts(500_000, None), &last).is_empty());
        let all = counts(1_000_000, Some("a_hundred_in_one_turn"));
        assert_eq!(grown(&all, &last), ["a_hundred_in_one_turn"]);
        assert!(grown(&counts(1_000_000, Some(BEFORE)), &last).contains(&BEFORE), "what all begin with, too");
    }

    #[test]
    fn a_work_that_was_never_counted_is_told() {
        let mut last = counts(1_000_000, None);
        last.remove("a_thousand_to_a_visitor");
        assert_eq!(grown(&counts(1_000_000, None), &last), ["a_thousand_to_a_visitor"]);
    }
}
