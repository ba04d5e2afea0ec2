//! What the end-to-end tests meet that is no browser: programs of their own workspace, `tests-wasm/native`, and a broker.
//!
//! ```text
//! <tools>/native/            where they are compiled: three hundred crates, once for all clones
//! <target>/native/           the programs: hypha-native-peer, hypha-nostr-relay
//! ```

use crate::process::{self, Output};
use crate::step::step;
use crate::{browsers, paths};
use anyhow::{Context, Result};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

const COMPILE: Duration = Duration::from_secs(40 * 60);
const PROGRAMS: [&str; 2] = ["hypha-native-peer", "hypha-nostr-relay"];

/// Builds what is out of date; the folder of the programs.
pub fn build() -> Result<PathBuf> {
    let (made, out) = (paths::tools()?.join("native"), paths::target().join("native"));
    step("Compile what the tests meet that is no browser (a few minutes the first time)", || {
        let mut cargo = Command::new("cargo");
        cargo.args(["build", "--locked", "--target-dir"]).arg(&made);
        cargo.current_dir(paths::root().join("tests-wasm/native"));
        process::must(&mut cargo, COMPILE, Output::Shown).context("tests-wasm/native does not compile")?;
        std::fs::create_dir_all(&out)?;
        for name in PROGRAMS {
            // Another clone may compile its own at the same place soon.
            let name = format!("{name}{}", std::env::consts::EXE_SUFFIX);
            let to = out.join(&name);
            let _ = std::fs::remove_file(&to);
            std::fs::copy(made.join("debug").join(&name), to)?;
        }
        Ok(())
    })?;
    Ok(out)
}

/// The format of that workspace's sources.
pub fn check_format() -> Result<()> {
    let mut cargo = Command::new("cargo");
    cargo.args(["fmt", "--all", "--check"]).current_dir(paths::root().join("tests-wasm/native"));
    process::must(&mut cargo, COMPILE, Output::Shown).map(drop)
}

/// What networks of their own take, with a NAT and a TURN server in them. Where something cannot be had, the tests that need it
/// fail and say what.
pub fn networks() -> Result<()> {
    // Debian puts them where only root looks for programs.
    let have = |name: &str| {
        paths::on_path(name).is_some()
            || ["/usr/sbin", "/sbin"].iter().any(|folder| Path::new(folder).join(name).is_file())
    };
    if ["ip", "nft", "turnserver"].into_iter().all(have) {
        return Ok(());
    }
    browsers::install(
        "Install iproute2, nftables and coturn with apt-get",
        &["iproute2", "nftables", "coturn"],
    )
}

/// mosquitto, the MQTT broker that most people run.
pub fn mosquitto() -> Result<PathBuf> {
    let find = || {
        // Debian puts it where only root looks for programs.
        let place = PathBuf::from("/usr/sbin/mosquitto");
        browsers::named("MOSQUITTO")
            .transpose()
            .or_else(|| paths::on_path("mosquitto").or_else(|| place.is_file().then_some(place)).map(Ok))
    };
    if find().is_none() {
        browsers::install("Install mosquitto with apt-get", &["mosquitto"])?;
    }
    find().context(
        "mosquitto is missing; install it (Debian: `apt-get install mosquitto`) or set MOSQUITTO to its path",
    )?
}
