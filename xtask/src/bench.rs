//! `bench`: this package beside what a page would use today, on the same data in the same run.
//!
//! ```text
//! storage   what storing and opening costs, beside Yjs, automerge-repo, Loro, hypercore and IndexedDB itself
//! network   what reaching another browser costs, beside Yjs, automerge-repo, Loro and a bare data channel
//! engine    instructions that the node takes for given works, beside what they were last
//! ```
//! For the first two it builds the package, installs the others by lock file and runs `tests-wasm/bench/<what>.mjs`, which
//! prints the table and leaves JSON and a chart in the target folder's `bench/`.

use crate::process::{self, Output};
use crate::{browsers, engine, npm, package, paths, tools};
use anyhow::{Result, bail};
use std::process::Command;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(2 * 60 * 60);
const KINDS: &[&str] = &["network", "storage"];

/// Runs one bench; what comes after its name goes to its script.
pub fn run(args: &[String]) -> Result<()> {
    let (what, mut rest) = match args {
        [what, rest @ ..] if what == "engine" => return engine::run(rest),
        [what, rest @ ..] if KINDS.contains(&what.as_str()) => (what, rest),
        _ => bail!("bench takes one of engine, {}", KINDS.join(", ")),
    };
    if let [first, after @ ..] = rest
        && first == "--no-build"
    {
        rest = after;
    } else {
        package::build()?;
    }
    let dir = paths::root().join("tests-wasm/bench");
    npm::install(&dir)?;
    let found = browsers::ready()?;
    let mut command = Command::new(tools::node()?);
    command.arg(format!("{what}.mjs")).arg("--out").arg(paths::target().join("bench")).args(rest);
    command.env("HYPHA_CHROMIUM", found.chromium).current_dir(dir);
    process::must(&mut command, LIMIT, Output::Shown).map(drop)
}
