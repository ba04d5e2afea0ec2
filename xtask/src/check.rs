//! `check`: format, lints for host and browser, licences, size. Each is one counted check; all are made.

use crate::licences::Crates;
use crate::process::{self, Output};
use crate::tally::Tally;
use crate::{native, package, paths, size, step, tools};
use anyhow::{Result, bail};
use std::process::Command;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(30 * 60);

/// Builds the package if it is out of date, then makes all checks; false if one fails.
pub fn run() -> Result<bool> {
    tools::wasm_target()?;
    let built = package::build();
    let tally = all(built.is_ok());
    println!("\n{} checks passed, {} failed", tally.passed, tally.failed);
    built?;
    Ok(tally.failed == 0)
}

/// Makes all checks; `built`: whether there is a package whose size can be told.
pub fn all(built: bool) -> Tally {
    let mut tally = Tally::default();
    let mut one = |what: &str, work: &dyn Fn() -> Result<()>| {
        let result = step::step(what, work);
        if let Err(error) = &result {
            println!("  {error:#}");
        }
        tally += Tally::one(result.is_ok());
    };
    one("Format", &|| cargo(&["fmt", "--all", "--check"]));
    one("Lints for the host", &|| clippy(&["--workspace", "--all-targets"]));
    one("Lints for the browser", &|| {
        clippy(&["--package", "hypha-node", "--all-targets", "--target", tools::WASM])
    });
    one("Format of what the tests meet that is no browser", &native::check_format);
    one("Licences", &licences);
    one("Scripts can be parsed", &scripts);
    one("Size", &|| if built { size::check() } else { bail!("there is no package to measure") });
    tally
}

fn clippy(what: &[&str]) -> Result<()> {
    cargo(&[&["clippy", "--quiet"], what, &["--", "--deny", "warnings"]].concat())
}

fn cargo(args: &[&str]) -> Result<()> {
    process::must(Command::new("cargo").args(args).current_dir(paths::root()), LIMIT, Output::Shown).map(drop)
}

fn licences() -> Result<()> {
    let crates = Crates::read()?;
    let duplicates = crates.duplicates();
    if !duplicates.is_empty() {
        println!("  in more than one version: {}", duplicates.join("; "));
    }
    crates.check_licences()
}

/// Every script of the page, the package and the tests.
fn scripts() -> Result<()> {
    let node = tools::node()?;
    // Node.js takes a .js for a module only if a package.json says so; a copy called .mjs always is one
    let copy = paths::target().join("script-to-check.mjs");
    let mut count = 0;
    for folder in ["www", "pkg-template", "tests-wasm"] {
        for file in paths::files_under(&paths::root().join(folder)) {
            let Some("js" | "mjs") = file.extension().and_then(|end| end.to_str()) else { continue };
            std::fs::copy(&file, &copy)?;
            let mut command = Command::new(&node);
            let outcome =
                process::run(command.arg("--check").arg(&copy), Duration::from_secs(60), Output::Kept)?;
            if !outcome.ok() {
                bail!("{} cannot be parsed:\n{}", paths::shown(&file), outcome.text);
            }
            count += 1;
        }
    }
    println!("  {count} scripts");
    Ok(())
}
