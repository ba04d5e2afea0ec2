//! The adversary of the end-to-end tests: the package over a library built with the feature `hostile`.
//!
//! ```text
//! cargo build --features hostile → wasm-bindgen ┐
//! pkg-template/ ────────────────────────────────┴→ <target>/hostile-pkg/
//! ```
//! Soon built rather than small: the profile of the browser units, whose dependencies are there already, and no
//! wasm-opt. Those units are compiled at the same place without the feature, so cargo would begin anew each time: what
//! was made from the same sources is kept. Nothing of it is ever in `pkg/`.

use crate::process::{self, Output};
use crate::step::step;
use crate::{package, paths, split, tools};
use anyhow::{Context, Result};
use blake2::{Blake2b, Digest, digest::consts::U32};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

const COMPILE: Duration = Duration::from_secs(20 * 60);
const BIND: Duration = Duration::from_secs(5 * 60);

/// Builds what is out of date; the folder of the package.
pub fn build() -> Result<PathBuf> {
    tools::wasm_target()?;
    let core = paths::target().join("hostile-core");
    let (stamp, hash) = (core.join("inputs"), inputs()?);
    if !fs::read_to_string(&stamp).is_ok_and(|text| text == hash) {
        if core.exists() {
            fs::remove_dir_all(&core)?;
        }
        step("Compile the adversary of the tests", || compile(&core))?;
        fs::write(stamp, hash)?;
    }
    let out = paths::target().join("hostile-pkg");
    if out.exists() {
        fs::remove_dir_all(&out)?;
    }
    package::fill(&core, &out)?;
    Ok(out)
}

fn compile(core: &Path) -> Result<()> {
    let mut cargo = Command::new("cargo");
    cargo.args([
        "build",
        "--lib",
        "--target",
        tools::WASM,
        "--package",
        "hypha-node",
        "--features",
        "hostile",
    ]);
    process::must(cargo.current_dir(paths::root()), COMPILE, Output::Shown)
        .context("the adversary of the tests does not compile")?;
    let mut bindgen = Command::new(tools::wasm_bindgen()?.join("wasm-bindgen"));
    bindgen.args(["--target", "web", "--omit-default-module-path", "--no-typescript", "--out-name", "core"]);
    bindgen.arg("--out-dir").arg(core);
    bindgen.arg(paths::target().join(tools::WASM).join("debug/hypha_node.wasm"));
    process::must(&mut bindgen, BIND, Output::Kept)?;
    let glue = core.join("core.js");
    Ok(fs::write(&glue, split::glue_of_whole(&fs::read_to_string(&glue)?))?)
}

/// Hash of all that the module is made from.
fn inputs() -> Result<String> {
    let root = paths::root();
    let mut files = paths::files_under(&root.join("src"));
    files.extend(["Cargo.toml", "Cargo.lock"].map(|name| root.join(name)));
    let mut hash = Blake2b::<U32>::new();
    hash.update(tools::locked_version("wasm-bindgen")?);
    for file in files {
        let text = fs::read(&file).with_context(|| format!("cannot read {}", paths::shown(&file)))?;
        for part in [paths::shown(&file).as_bytes(), &text] {
            hash.update(u64::try_from(part.len())?.to_le_bytes());
            hash.update(part);
        }
    }
    Ok(data_encoding::HEXLOWER.encode(&hash.finalize()))
}
