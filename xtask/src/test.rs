//! `test`: every ring of tests, one after the other, added up. A ring that fails does not stop the later ones.
//!
//! ```text
//! host     cargo test (or nextest) over the workspace: pure layers, layering, these tools
//! wasm     wasm-pack test in Chromium and Firefox
//! page     what the page promises, read from its files
//! vectors  the formats recomputed in JavaScript by libraries from npm
//! package  what npm hands out: packed, installed, typed, bundled
//! e2e      real browsers on the real page
//! check    format, lints, licences, size
//! ```
//! The last line of output is `N passed, N failed`, and nothing else is on it.

use crate::process::{self, Output};
use crate::tally::Tally;
use crate::{browsers, check, hostile, native, npm, package, paths, step, tools};
use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

const RINGS: &[&str] = &["host", "wasm", "page", "vectors", "package", "e2e", "check"];

/// Suites that run once more with nodes that have nearly nothing in memory.
const LAZILY: &[&str] = &[
    "node::replicas::tests",
    "node::tests::a_second_device_is_let_in_and_both_write",
    "node::tests::a_removed_device_is_told_and_reads_on",
    "node::tests::another_passphrase_takes_the_place_of_the_old_one",
    "node::tests::all_devices_lost_the_passphrase_begins_again",
    "node::tests::calls",
    "node::tests::spaces",
    "node::tests::export::a_sync_file",
    "node::adversary::cuts",
    "node::adversary::forks::a_file_brings_both_branches",
    "node::adversary::forks::of_three_histories",
    "node::adversary::relays",
];

const HOST: Duration = Duration::from_secs(40 * 60);
const BROWSER_UNITS: Duration = Duration::from_secs(40 * 60);
const SCRIPTS: Duration = Duration::from_secs(60 * 60);

/// Runs the rings; false if anything failed.
pub fn run(args: &[String]) -> Result<bool> {
    let rings = parse(args)?;
    let start = Instant::now();
    let needs_package = rings.iter().any(|ring| matches!(*ring, "vectors" | "package" | "e2e" | "check"));
    let mut lines = Vec::new();
    let mut sum = Tally::default();
    let mut record = |name: &str, since: Instant, tally: Tally| {
        sum += tally;
        lines.push(format!(
            "{name:<10} {:>6} passed {:>5} failed   {}",
            tally.passed,
            tally.failed,
            step::seconds(since.elapsed())
        ));
    };
    // once, for all rings that look at the package; without it they say so and fail
    let mut built = false;
    if needs_package {
        step::header("build: the package");
        let since = Instant::now();
        let result = package::build();
        built = result.is_ok();
        record("build", since, settle(result.map(|()| Tally::one(true))));
    }
    for ring in rings {
        let since = Instant::now();
        let tally = match ring {
            "host" => settle(host()),
            "wasm" => settle(wasm()),
            "page" => settle(page()),
            "vectors" => settle(vectors()),
            "package" => settle(packed(built)),
            "e2e" => settle(e2e(built)),
            _ => {
                step::header("check: format, lints, licences, size");
                check::all(built)
            }
        };
        record(ring, since, tally);
    }
    step::header(&format!("sum, after {}", step::seconds(start.elapsed())));
    for line in lines {
        println!("  {line}");
    }
    println!("\n{} passed, {} failed", sum.passed, sum.failed);
    Ok(sum.failed == 0)
}

fn parse(args: &[String]) -> Result<Vec<&'static str>> {
    let wanted: Vec<&str> = match args {
        [] => return Ok(RINGS.to_vec()),
        [option, list] if option == "--only" => list.split(',').collect(),
        _ => bail!("test takes `--only LIST` of {}", RINGS.join(", ")),
    };
    if let Some(unknown) = wanted.iter().find(|name| !RINGS.contains(name)) {
        bail!("there is no ring `{unknown}`; there are {}", RINGS.join(", "));
    }
    Ok(RINGS.iter().copied().filter(|ring| wanted.contains(ring)).collect())
}

/// A ring that cannot run at all is one failure, with its reason.
fn settle(result: Result<Tally>) -> Tally {
    result.unwrap_or_else(|error| {
        println!("  {error:#}");
        Tally::one(false)
    })
}

fn host() -> Result<Tally> {
    step::header("host: pure layers, layering, tools");
    let root = paths::root();
    let mut command = Command::new("cargo");
    if !nextest() {
        command.args(["test", "--workspace", "--no-fail-fast"]).current_dir(root);
        let mut tally = counted(&mut command, HOST)?;
        tally += lazily()?;
        return Ok(tally);
    }
    command.args(["nextest", "run", "--workspace", "--no-fail-fast", "--no-tests", "pass"]).current_dir(root);
    let mut tally = counted(&mut command, HOST)?;
    let mut docs = Command::new("cargo");
    docs.args(["test", "--workspace", "--doc", "--no-fail-fast"]).current_dir(root);
    tally += counted(&mut docs, HOST)?;
    tally += lazily()?;
    Ok(tally)
}

/// Suites of whole nodes once more, with nodes that have nearly nothing in memory: about 30 s of them. All of them:
/// `HYPHA_SIM_LAZY=1 cargo test --lib node::`.
fn lazily() -> Result<Tally> {
    println!("▸ nodes that have four pages in memory");
    let mut command = Command::new("cargo");
    // the same command line as before, as far as it decides on what is compiled
    command.args(["test", "--workspace", "--lib", "--no-fail-fast", "--"]).args(LAZILY);
    command.env("HYPHA_SIM_LAZY", "1").current_dir(paths::root());
    let ran = counted(&mut command, HOST)?;
    if ran.passed + ran.failed < LAZILY.len().try_into()? {
        bail!("of the suites {} some do not exist", LAZILY.join(", "));
    }
    Ok(ran)
}

fn nextest() -> bool {
    let mut command = Command::new("cargo");
    command.args(["nextest", "--version"]);
    process::run(&mut command, Duration::from_secs(60), Output::Kept).is_ok_and(|outcome| outcome.ok())
}

fn wasm() -> Result<Tally> {
    step::header("wasm: browser units in Chromium and Firefox");
    tools::wasm_target()?;
    let (wasm_pack, bindgen) = (tools::wasm_pack()?, tools::wasm_bindgen()?);
    let found = browsers::ready()?;
    let geckodriver = browsers::geckodriver()?;
    let mut tally = Tally::default();
    for (browser, option, driver) in
        [("--chrome", "--chromedriver", &found.chromedriver), ("--firefox", "--geckodriver", &geckodriver)]
    {
        let mut command = Command::new(&wasm_pack);
        // no-install: the runner in front of PATH is the right one, nothing is fetched
        command.args(["test", "--headless", browser, option]).arg(driver).args(["--mode", "no-install"]);
        command.env("PATH", tools::path_with(&[bindgen.clone(), links(&found)?])?);
        command.env("WASM_BINDGEN_TEST_TIMEOUT", "1800").current_dir(paths::root());
        println!("▸ wasm-pack test --headless {browser}");
        let ran = counted(&mut command, BROWSER_UNITS)?;
        if ran == Tally::default() {
            bail!("wasm-pack test {browser} ran no test");
        }
        tally += ran;
    }
    Ok(tally)
}

/// A folder where the browsers have the names by which their drivers look for them.
fn links(found: &browsers::Browsers) -> Result<PathBuf> {
    let dir = paths::target().join("browsers");
    std::fs::create_dir_all(&dir)?;
    #[cfg(unix)]
    for (name, to) in [("firefox", &found.firefox), ("chromium", &found.chromium)] {
        let link = dir.join(name);
        let _ = std::fs::remove_file(&link);
        std::os::unix::fs::symlink(to, link)?;
    }
    #[cfg(not(unix))]
    let _ = found;
    Ok(dir)
}

fn page() -> Result<Tally> {
    step::header("page: what it promises, read from its files");
    scripts(&paths::root().join("tests-wasm/page"), &[])
}

fn vectors() -> Result<Tally> {
    step::header("vectors: formats recomputed in JavaScript");
    let folder = paths::root().join("tests-wasm/vectors");
    // the libraries are those of the folder above: Node.js finds them from there
    npm::install(&folder)?;
    scripts(&folder.join("js"), &[])
}

fn packed(built: bool) -> Result<Tally> {
    step::header("package: packed, installed, typed, bundled");
    if !built {
        bail!("there is no package to test");
    }
    let found = browsers::ready()?;
    scripts(&paths::root().join("tests-wasm/package"), &[("HYPHA_CHROMIUM", found.chromium)])
}

fn e2e(built: bool) -> Result<Tally> {
    step::header("e2e: real browsers on the real page");
    if !built {
        bail!("there is no package to test");
    }
    let found = browsers::ready()?;
    native::networks()?;
    let xtask = std::env::current_exe()?;
    // `host` may have compiled this program anew at the same place
    let xtask = PathBuf::from(xtask.to_string_lossy().trim_end_matches(" (deleted)"));
    let environment = [
        ("HYPHA_XTASK", xtask),
        ("HYPHA_HOSTILE", hostile::build()?),
        ("HYPHA_CHROMIUM", found.chromium),
        ("HYPHA_FIREFOX", found.firefox),
        ("HYPHA_MATCHBOX", tools::matchbox_server()?),
        ("HYPHA_MOSQUITTO", native::mosquitto()?),
        ("HYPHA_NATIVE", native::build()?),
    ];
    scripts(&paths::root().join("tests-wasm/e2e"), &environment)
}

/// Runs the `*.test.mjs` of a folder with Node.js, in order, one at a time.
fn scripts(dir: &Path, environment: &[(&str, PathBuf)]) -> Result<Tally> {
    let files: Vec<PathBuf> = paths::files_under(dir)
        .into_iter()
        .filter(|file| file.parent() == Some(dir) && file.to_string_lossy().ends_with(".test.mjs"))
        .collect();
    if files.is_empty() {
        bail!("there are no *.test.mjs in {}", paths::shown(dir));
    }
    let node = tools::node()?;
    if dir.join("package-lock.json").is_file() {
        npm::install(dir)?;
    }
    let mut command = Command::new(node);
    command.args(["--test", "--test-reporter=spec", "--test-concurrency=1"]).args(&files);
    command.envs(environment.iter().map(|(name, value)| (name, value))).current_dir(dir);
    counted(&mut command, SCRIPTS)
}

fn counted(command: &mut Command, limit: Duration) -> Result<Tally> {
    let name = command.get_program().to_string_lossy().into_owned();
    let outcome =
        process::run(command, limit, Output::Shown).with_context(|| format!("`{name}` does not run"))?;
    if !outcome.ok() {
        println!("  `{name}`: {}", outcome.reason());
    }
    Ok(Tally::of_run(&outcome.text, outcome.ok()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Vec<&'static str>> {
        parse(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn rings_keep_their_order() {
        assert_eq!(parsed("").unwrap(), RINGS);
        assert_eq!(parsed("--only e2e,host").unwrap(), ["host", "e2e"]);
        assert!(parsed("--only moon").is_err() && parsed("--only").is_err() && parsed("host").is_err());
    }

    #[test]
    fn a_ring_that_cannot_run_is_a_failure() {
        assert_eq!(settle(Err(anyhow::anyhow!("no browser"))), Tally { passed: 0, failed: 1 });
    }
}
