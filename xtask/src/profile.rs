//! `profile`: which functions a page runs until its first write, found out by letting it: writes `first-load.txt`.
//!
//! The package over a module that tells what runs is driven by `tests-wasm/e2e/record/first-load.mjs` in a real browser.

use crate::process::{self, Output};
use crate::split::{self, Module, Names};
use crate::step::step;
use crate::{browsers, npm, package, paths, tools};
use anyhow::{Context, Result, ensure};
use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

const RECORD: Duration = Duration::from_secs(5 * 60);

const HEAD: &str = "\
# What a page runs until its first write, and when it is opened again: functions with the places that ran, by the stage
# that reached them first, which is the part of the module that they are in; all others are in the last part. Written by
# `cargo xtask profile`; do it again when a build says that this list is of another one. What ran in an earlier recording
# stays for as long as its function has as many places.

";

/// Records, writes the list, builds the package by it.
pub fn run() -> Result<()> {
    tools::wasm_target()?;
    let compiled = step("Compile to wasm", package::compile)?;
    let whole = package::whole(&compiled)?;
    let wasm = fs::read(whole.join("core_bg.wasm"))?;
    let module = Module::read(&wasm)?;
    let pkg = recording(&module, &fs::read_to_string(whole.join("core.js"))?)?;
    let ran = step("Sign up, write and reload in a browser", || watched(&pkg))?;
    // What ran once may run again, while the function is as it was: which way some code goes differs with keys and words.
    let before = fs::read_to_string(package::first_load())
        .map_or_else(|_| Ok(Names::default()), |list| Names::read(&list))?;
    let mut names = Names::default();
    let mut base = 0;
    let mut functions = 0;
    for (body, name) in module.bodies.iter().zip(module.names.iter().skip(module.imported())) {
        let count = split::places(body)?;
        let reached = ran.range(base..base + count);
        functions += usize::from(reached.clone().next().is_some());
        reached.for_each(|(place, stage)| names.add(name, count, place - base, *stage));
        before.places(name, count).for_each(|(place, stage)| names.add(name, count, place, stage));
        base += count;
    }
    fs::write(package::first_load(), format!("{HEAD}{}", names.text()))?;
    println!(
        "  {functions} of {} functions ran, {} of {base} places; {} names",
        module.bodies.len(),
        ran.len(),
        names.len()
    );
    package::build()
}

/// Folder with the package that tells.
fn recording(module: &Module<'_>, glue: &str) -> Result<PathBuf> {
    let (core, pkg) = (paths::target().join("recording-core"), paths::target().join("recording-pkg"));
    for dir in [&core, &pkg] {
        if dir.exists() {
            fs::remove_dir_all(dir)?;
        }
    }
    fs::create_dir_all(&core)?;
    fs::write(core.join("core_bg.wasm"), split::record(module)?)?;
    fs::write(core.join("core.js"), split::glue_of_record(glue)?)?;
    package::fill(&core, &pkg)?;
    Ok(pkg)
}

/// Places that were reached, and the stage of the record that reached each first.
fn watched(pkg: &std::path::Path) -> Result<BTreeMap<usize, usize>> {
    let dir = paths::root().join("tests-wasm/e2e");
    npm::install(&dir)?;
    let found = browsers::ready()?;
    let mut command = Command::new(tools::node()?);
    command.arg("record/first-load.mjs").current_dir(dir);
    command
        .env("HYPHA_XTASK", std::env::current_exe()?)
        .env("HYPHA_PKG", pkg)
        .env("HYPHA_CHROMIUM", found.chromium)
        .env("HYPHA_FIREFOX", found.firefox);
    let told = process::must(&mut command, RECORD, Output::Kept)?;
    fs::write(paths::target().join("recording.log"), &told)?;
    let mut ran = BTreeMap::new();
    for line in told.lines().filter_map(|line| line.strip_prefix("ran ")) {
        let (stage, list) = line.split_once(' ').with_context(|| format!("`{line}` is of no stage"))?;
        for at in list.split(',').filter(|at| !at.is_empty()) {
            let at = at.trim().parse().with_context(|| format!("`{at}` is no index"))?;
            ran.insert(at, stage.parse()?);
        }
    }
    ensure!(!ran.is_empty(), "the browser told nothing");
    Ok(ran)
}
