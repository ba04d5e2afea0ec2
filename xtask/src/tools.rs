//! Tools from crates.io, found or installed once into a folder that all clones share.
//!
//! ```text
//! <tools>/wasm-bindgen-<version>/bin/   exactly the version in Cargo.lock, as its two halves must match
//! <tools>/bin/                          wasm-pack, geckodriver, matchbox_server: any version does
//! <tools>/npm-<hash of lock file>/      see `npm`
//! ```

use crate::process::{self, Output};
use crate::step::step;
use crate::{paths, process::Outcome};
use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// Target of everything that runs in a page.
pub const WASM: &str = "wasm32-unknown-unknown";

/// Compiling a tool from source on a slow machine.
const INSTALL: Duration = Duration::from_secs(40 * 60);
const QUICK: Duration = Duration::from_secs(60);

/// Makes sure that rustc can compile for the browser.
pub fn wasm_target() -> Result<()> {
    let libdir = process::must(
        Command::new("rustc").args(["--print", "target-libdir", "--target", WASM]).current_dir(paths::root()),
        QUICK,
        Output::Kept,
    )
    .context("rustc does not run; install Rust from https://rustup.rs")?;
    if Path::new(libdir.trim()).is_dir() {
        return Ok(());
    }
    step(&format!("Add the Rust target {WASM}"), || {
        process::must(
            Command::new("rustup").args(["target", "add", WASM]).current_dir(paths::root()),
            INSTALL,
            Output::Shown,
        )
        .with_context(|| {
            format!("run `rustup target add {WASM}`, or install your system's package of that target")
        })
        .map(drop)
    })
}

/// Folder with `wasm-bindgen` and `wasm-bindgen-test-runner` of exactly the version in Cargo.lock.
pub fn wasm_bindgen() -> Result<PathBuf> {
    let version = locked_version("wasm-bindgen")?;
    let own = paths::tools()?.join(format!("wasm-bindgen-{version}"));
    let mut places = vec![own.join("bin"), paths::tools()?.join("bin")];
    places.extend(paths::on_path("wasm-bindgen").and_then(|file| file.parent().map(Path::to_path_buf)));
    for place in places {
        if place.join(exe("wasm-bindgen-test-runner")).is_file()
            && reported_version(&place.join(exe("wasm-bindgen"))).as_deref() == Some(version.as_str())
        {
            return Ok(place);
        }
    }
    install("wasm-bindgen-cli", Some(&version), &own)?;
    Ok(own.join("bin"))
}

/// `wasm-pack`, from PATH or the tools folder.
pub fn wasm_pack() -> Result<PathBuf> {
    any_version("wasm-pack")
}

/// `geckodriver`, from PATH or the tools folder.
pub fn geckodriver() -> Result<PathBuf> {
    any_version("geckodriver")
}

/// `matchbox_server`, a hub that the end-to-end tests go through; from PATH or the tools folder.
pub fn matchbox_server() -> Result<PathBuf> {
    any_version("matchbox_server")
}

/// Node.js of a version that has all we use.
pub fn node() -> Result<PathBuf> {
    let node = paths::on_path("node").context("Node.js is missing; install version 20.10 or later")?;
    let version = process::must(Command::new(&node).arg("--version"), QUICK, Output::Kept)?;
    let mut numbers =
        version.trim().trim_start_matches('v').split('.').map(|part| part.parse::<u32>().unwrap_or(0));
    let (major, minor) = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    if (major, minor) < (20, 10) {
        bail!("Node.js {} is too old; install version 20.10 or later", version.trim());
    }
    Ok(node)
}

/// Version of `package` in the lock file.
pub fn locked_version(package: &str) -> Result<String> {
    let path = paths::root().join("Cargo.lock");
    let lock = std::fs::read_to_string(&path).context("cannot read Cargo.lock")?;
    version_in(&lock, package).with_context(|| format!("Cargo.lock names no {package}"))
}

/// `PATH` with `first` put in front.
pub fn path_with(first: &[PathBuf]) -> Result<std::ffi::OsString> {
    let old = std::env::var_os("PATH").unwrap_or_default();
    Ok(std::env::join_paths(first.iter().cloned().chain(std::env::split_paths(&old)))?)
}

fn version_in(lock: &str, package: &str) -> Option<String> {
    let name = format!("name = \"{package}\"");
    let mut lines = lock.lines().skip_while(|line| *line != name);
    lines.next()?;
    Some(lines.next()?.strip_prefix("version = \"")?.strip_suffix('"')?.to_owned())
}

fn any_version(name: &str) -> Result<PathBuf> {
    let root = paths::tools()?;
    let own = root.join("bin").join(exe(name));
    if own.is_file() {
        return Ok(own);
    }
    if let Some(found) = paths::on_path(name) {
        return Ok(found);
    }
    install(name, None, &root)?;
    Ok(own)
}

/// Compiles and installs a tool with the versions its authors locked; if the registry does not offer one of these
/// (mirrors lag behind), with the versions it does offer.
fn install(package: &str, version: Option<&str>, root: &Path) -> Result<()> {
    let named = version.map_or_else(|| package.to_owned(), |version| format!("{package}@{version}"));
    step(&format!("Install {named} (compiled once, takes a few minutes)"), || {
        let attempt = |locked: bool| -> Result<Outcome> {
            let mut command = Command::new("cargo");
            command.arg("install").args(locked.then_some("--locked")).arg("--root").arg(root).arg(&named);
            // not inside the repository, whose settings are not for tools; and not into its target folder
            command.current_dir(std::env::temp_dir()).env_remove("CARGO_TARGET_DIR");
            process::run(&mut command, INSTALL, Output::Shown)
        };
        let first = attempt(true)?;
        if first.ok() {
            return Ok(());
        }
        if first.text.contains("failed to select a version") {
            println!("  not every locked version is on offer here; trying those that are");
            if attempt(false)?.ok() {
                return Ok(());
            }
        }
        bail!("cannot install it; try `cargo install --root {} {named}` by hand", root.display())
    })
}

fn reported_version(program: &Path) -> Option<String> {
    if !program.is_file() {
        return None;
    }
    let text = process::must(Command::new(program).arg("--version"), QUICK, Output::Kept).ok()?;
    text.split_whitespace().nth(1).map(str::to_owned)
}

fn exe(name: &str) -> String {
    format!("{name}{}", std::env::consts::EXE_SUFFIX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_that_of_the_very_package() {
        let lock = "[[package]]\nname = \"wasm-bindgen-futures\"\nversion = \"0.4.1\"\n\n\
                    [[package]]\nname = \"wasm-bindgen\"\nversion = \"0.2.3\"\n";
        assert_eq!(version_in(lock, "wasm-bindgen").as_deref(), Some("0.2.3"));
        assert_eq!(version_in(lock, "wasm"), None);
    }

    #[test]
    fn the_lock_file_pins_wasm_bindgen_as_the_manifest_does() {
        let manifest = std::fs::read_to_string(paths::root().join("Cargo.toml")).unwrap();
        let version = locked_version("wasm-bindgen").unwrap();
        assert!(manifest.contains(&format!("wasm-bindgen = \"={version}\"")), "Cargo.lock has {version}");
    }
}
