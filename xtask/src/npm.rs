//! npm packages by lock file: `npm ci`, only when the lock file changed.

use crate::process::{self, Output};
use crate::step::step;
use crate::{paths, tools};
use anyhow::{Context, Result};
use blake2::{Blake2b, Digest, digest::consts::U8};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(15 * 60);

/// Written into `node_modules` when an install is complete: hash of the lock file it came from.
const STAMP: &str = ".hypha-stamp";

/// Installs what `dir/package-lock.json` says into `dir/node_modules`.
pub fn install(dir: &Path) -> Result<()> {
    let hash = lock_hash(dir)?;
    let stamp = dir.join("node_modules").join(STAMP);
    if std::fs::read_to_string(&stamp).is_ok_and(|text| text == hash) {
        return Ok(());
    }
    step(&format!("Install the npm packages of {}", paths::shown(dir)), || ci(dir, &stamp, &hash))
}

/// `wasm-opt` of the pinned binaryen, as a script for Node.js. It is 100 MB, so all clones share it.
pub fn wasm_opt() -> Result<PathBuf> {
    tool("xtask/npm", "npm", "binaryen (wasm-opt)", "node_modules/binaryen/bin/wasm-opt")
}

/// The pinned esbuild, as a script for Node.js.
pub fn esbuild() -> Result<PathBuf> {
    tool("xtask/npm-site", "npm-site", "esbuild", "node_modules/esbuild/bin/esbuild")
}

/// A tool that the lock file in the folder `source` names, in the folder of tools.
fn tool(source: &str, name: &str, what: &str, script: &str) -> Result<PathBuf> {
    let source = paths::root().join(source);
    let hash = lock_hash(&source)?;
    let dir = paths::tools()?.join(format!("{name}-{hash}"));
    let stamp = dir.join("node_modules").join(STAMP);
    if !std::fs::read_to_string(&stamp).is_ok_and(|text| text == hash) {
        step(&format!("Install {what} from npm"), || {
            std::fs::create_dir_all(&dir)?;
            for name in ["package.json", "package-lock.json"] {
                std::fs::copy(source.join(name), dir.join(name))?;
            }
            ci(&dir, &stamp, &hash)
        })?;
    }
    Ok(dir.join(script))
}

fn ci(dir: &Path, stamp: &Path, hash: &str) -> Result<()> {
    tools::node()?;
    let npm = paths::on_path("npm").context("npm is missing; install it with Node.js")?;
    let mut command = Command::new(npm);
    // no package needs its install script, and scripts fetch from elsewhere
    command.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]).current_dir(dir);
    process::must(&mut command, LIMIT, Output::Kept)?;
    Ok(std::fs::write(stamp, hash)?)
}

fn lock_hash(dir: &Path) -> Result<String> {
    let path = dir.join("package-lock.json");
    let lock = std::fs::read(&path).with_context(|| format!("cannot read {}", paths::shown(&path)))?;
    Ok(data_encoding::HEXLOWER.encode(&Blake2b::<U8>::digest(lock)))
}
