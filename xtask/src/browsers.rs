//! Real browsers and their drivers: found, or installed from Debian where we may.

use crate::process::{self, Output};
use crate::step::step;
use crate::{paths, tools};
use anyhow::{Context, Result, bail};
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(20 * 60);

/// What the tests drive.
pub struct Browsers {
    pub chromium: PathBuf,
    pub chromedriver: PathBuf,
    pub firefox: PathBuf,
}

/// Finds both browsers and Chromium's driver. Each may be named by an environment variable: CHROMIUM, CHROMEDRIVER,
/// FIREFOX. Missing ones are installed with apt-get when this runs as root.
pub fn ready() -> Result<Browsers> {
    if let Ok(found) = find() {
        return Ok(found);
    }
    install(
        "Install Chromium, ChromeDriver and Firefox with apt-get",
        &["chromium", "chromium-driver", "firefox-esr"],
    )?;
    find()
}

/// Installs packages of Debian, where there is apt-get and this runs as root; else does nothing.
pub fn install(what: &str, packages: &[&str]) -> Result<()> {
    let (Some(apt), true) = (paths::on_path("apt-get"), is_root()) else { return Ok(()) };
    step(what, || {
        let apt = |args: &[&str]| {
            let mut command = Command::new(&apt);
            // A server among them is for the tests to start, not for the machine.
            command.args(args).env("DEBIAN_FRONTEND", "noninteractive").env("RUNLEVEL", "1");
            process::must(&mut command, LIMIT, Output::Kept)
        };
        apt(&["update"])?;
        apt(&[&["install", "--yes", "--no-install-recommends"], packages].concat()).map(drop)
    })
}

/// Firefox's driver, from PATH or crates.io.
pub fn geckodriver() -> Result<PathBuf> {
    match named("GECKODRIVER")? {
        Some(path) => Ok(path),
        None => tools::geckodriver(),
    }
}

fn find() -> Result<Browsers> {
    Ok(Browsers {
        chromium: one("CHROMIUM", &["chromium", "chromium-browser", "google-chrome"], "chromium")?,
        chromedriver: one("CHROMEDRIVER", &["chromedriver"], "chromium-driver")?,
        firefox: one("FIREFOX", &["firefox-esr", "firefox"], "firefox-esr")?,
    })
}

fn one(variable: &str, names: &[&str], package: &str) -> Result<PathBuf> {
    if let Some(path) = named(variable)? {
        return Ok(path);
    }
    names.iter().find_map(|name| paths::on_path(name)).with_context(|| {
        format!(
            "{} is missing; install it (Debian: `apt-get install {package}`) or set {variable} to its path",
            names.join(" or ")
        )
    })
}

/// What an environment variable names, which must be a file.
pub fn named(variable: &str) -> Result<Option<PathBuf>> {
    let Some(path) = std::env::var_os(variable).map(PathBuf::from) else { return Ok(None) };
    if !path.is_file() {
        bail!("{variable} names {}, which is not a file", path.display());
    }
    Ok(Some(path))
}

#[cfg(unix)]
fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

#[cfg(not(unix))]
fn is_root() -> bool {
    false
}
